"""Syncing the declared schedules into beat's tables, next to entries that people made."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks
from pytest_django import Settings

from apps.ops.errors import NameTaken, ScheduleRefused
from apps.ops.management.commands import sync_schedules
from apps.ops.models import DeclaredSchedule
from apps.ops.services.schedules import schedules_sync
from config.schedules import PROJECT_TIME_ZONE, SCHEDULES, Crontab, Entry
from project.celery import app
from tests.concurrency import at_once

pytestmark = pytest.mark.django_db
DAILY = Crontab(hour="9", minute="0", time_zone=PROJECT_TIME_ZONE)


@pytest.fixture(autouse=True)
def project_app() -> None:
    """Importing pytest-celery makes an app without a broker the current one."""
    app.set_current()


def entry(name: str = "Chore", **changes: Any) -> Entry:
    values = {"task": "ops.clear_sessions", "when": timedelta(minutes=5), "missed": "Skipped: no matter."}
    return Entry(name=name, **{**values, **changes})


def sync(*entries: Entry, dry_run: bool = False) -> list[str]:
    """What was done to each, by name."""
    changes = schedules_sync(entries=entries, dry_run=dry_run)
    return [f"{change.name}: {change.action}" for change in changes]


def row(name: str = "Chore") -> Any:
    return PeriodicTask.objects.get(name=name)


def snapshot() -> list[dict[str, Any]]:
    models: list[Any] = [PeriodicTask, CrontabSchedule, IntervalSchedule, PeriodicTasks, DeclaredSchedule]
    return [values for model in models for values in model.objects.order_by("pk").values()]


def test_what_is_declared_is_created_as_declared(settings: Settings) -> None:
    """Every field that beat looks at, the time zone resolved."""
    settings.TIME_ZONE = "America/Lima"
    hourly = entry("Hourly", when=timedelta(hours=1), expires=timedelta(minutes=30), kwargs={})
    assert sync(entry(when=DAILY), hourly) == ["Chore: created", "Hourly: created"]
    assert str(row().crontab) == "0 9 * * * (m/h/dM/MY/d) America/Lima"
    assert (row().task, row().enabled, row().interval, row().expire_seconds) == ("ops.clear_sessions", True, None, None)
    assert (str(row("Hourly").interval), row("Hourly").expire_seconds) == ("every hour", 1800)
    assert "Skipped: no matter." in row().description


def test_syncing_again_changes_nothing_at_all() -> None:
    """Each write makes beat read everything again; a deploy without news must not."""
    schedules_sync(entries=SCHEDULES)
    before = snapshot()
    assert {change.action for change in schedules_sync(entries=SCHEDULES)} == {"unchanged"}
    assert snapshot() == before


def test_what_was_changed_in_the_file_or_by_hand_is_brought_back(settings: Settings) -> None:
    """The file is where schedules are said; beat is told that something changed."""
    sync(entry(when=DAILY))
    told = PeriodicTasks.last_change()
    PeriodicTask.objects.update(queue="nowhere", args="[1]")
    later = entry(when=Crontab(hour="10", minute="0", time_zone="UTC"), task="reports.build_daily_report")
    (change,) = schedules_sync(entries=[later])
    assert change.action == "updated"
    assert {"task", "crontab", "queue", "args"} <= set(change.fields)
    assert (row().queue, row().args, row().task) == (None, "[]", "reports.build_daily_report")
    assert PeriodicTasks.last_change() > told


def test_a_changed_moment_counts_from_now() -> None:
    """From 9:00 to 8:00, synced at 8:30: beat must not take today's 8:00 for missed and fire."""
    sync(entry(when=DAILY))
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(days=1))
    sync(entry(when=Crontab(hour="8", minute="0", time_zone=PROJECT_TIME_ZONE)))
    assert row().last_run_at is None


def test_beats_own_books_are_left_alone() -> None:
    """Beat writes when it fired last; taking that back would fire again."""
    sync(entry())
    ran_at = timezone.now()
    PeriodicTask.objects.update(last_run_at=ran_at, total_run_count=7)
    sync(entry(missed="Made up: another word."))
    assert (row().last_run_at, row().total_run_count) == (ran_at, 7)


def test_one_that_a_person_switched_off_stays_off_and_is_still_updated() -> None:
    """Whoever stops the sync while the supplier has trouble must not find it running after a deploy."""
    sync(entry())
    task = row()
    task.enabled = False
    task.save()
    assert sync(entry(when=DAILY)) == ["Chore: updated"]
    assert not row().enabled
    assert row().crontab is not None


def test_one_that_is_gone_from_the_file_is_switched_off_marked_and_kept() -> None:
    """Its history may be wanted; its ticks are not."""
    sync(entry(), entry("Other"))
    assert sync(entry("Other")) == ["Other: unchanged", "Chore: retired"]
    assert not row().enabled
    assert row().description.startswith("No longer in config/schedules.py")
    assert sync(entry("Other")) == ["Other: unchanged"]


@pytest.mark.parametrize("was_enabled", [True, False])
def test_one_that_comes_back_is_as_it_was(was_enabled: bool) -> None:
    """On, unless a person had switched it off before it went."""
    sync(entry())
    PeriodicTask.objects.update(enabled=was_enabled)
    sync()
    assert sync(entry()) == ["Chore: resumed"]
    assert row().enabled is was_enabled
    assert not row().description.startswith("No longer")
    assert sync(entry()) == ["Chore: unchanged"]


def test_entries_that_people_made_are_never_touched() -> None:
    """They have schedules of their own in the same tables, and may even share a row with ours."""
    shared = IntervalSchedule.objects.create(every=5, period="minutes")
    PeriodicTask.objects.create(name="By hand", task="ops.clear_sessions", interval=shared, queue="low")
    before = PeriodicTask.objects.values().get(name="By hand")
    sync(entry())
    assert row().interval == shared
    sync(entry(when=timedelta(minutes=6)))
    sync()
    assert PeriodicTask.objects.values().get(name="By hand") == before
    assert IntervalSchedule.objects.get(pk=shared.pk).every == 5


def test_a_name_that_a_person_has_taken_is_refused_and_nothing_is_changed() -> None:
    """Taking it over would change what somebody else made."""
    interval = IntervalSchedule.objects.create(every=1, period="days")
    PeriodicTask.objects.create(name="Chore", task="orders.refund_payment", interval=interval)
    before = snapshot()
    with pytest.raises(NameTaken, match="Rename one of them"):
        sync(entry("Another"), entry())
    assert snapshot() == before


def test_one_that_a_person_renamed_or_deleted_is_put_right() -> None:
    """It is known by its mark, not by its name; the mark goes with the entry."""
    sync(entry())
    PeriodicTask.objects.update(name="My chore")
    assert sync(entry()) == ["Chore: updated"]
    row().delete()
    assert sync(entry()) == ["Chore: created"]


def test_a_dry_run_says_what_would_be_done_and_does_nothing() -> None:
    """To look at before a deploy."""
    sync(entry())
    before = snapshot()
    assert sync(entry("New"), dry_run=True) == ["New: created", "Chore: retired"]
    assert snapshot() == before


@pytest.mark.django_db(transaction=True)
def test_two_at_once_create_everything_once() -> None:
    """Two hosts are deployed at the same moment."""
    outcomes = at_once(4, lambda: [change.action for change in schedules_sync(entries=SCHEDULES)])
    assert outcomes.count(["created"] * len(SCHEDULES)) == 1, outcomes
    assert outcomes.count(["unchanged"] * len(SCHEDULES)) == 3, outcomes
    assert PeriodicTask.objects.count() == DeclaredSchedule.objects.count() == len(SCHEDULES)
    schedules = CrontabSchedule.objects.values_list("minute", "hour", "day_of_week")
    assert len(schedules) == len(set(schedules))


def test_a_refused_file_changes_nothing() -> None:
    """All of it or nothing of it."""
    with pytest.raises(ScheduleRefused, match=r"did you mean 'ops\.clear_sessions'"):
        sync(entry(), entry("Typo", task="ops.clear_session"))
    assert PeriodicTask.objects.count() == 0


def run(*options: str) -> str:
    out = StringIO()
    call_command("sync_schedules", *options, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_did() -> None:
    """One line an entry."""
    lines = run("--dry-run").splitlines()
    assert lines[0].startswith("created   Daily sales report: reports.build_daily_report, 0 9 * * *")
    assert lines[-1] == "Nothing was changed: this was a dry run."
    assert PeriodicTask.objects.count() == 0
    run()
    assert all(line.startswith("unchanged") for line in run().splitlines())


def test_the_command_speaks_json() -> None:
    """For a deploy that looks at what changed."""
    told = json.loads(run("--json"))
    assert told["dry_run"] is False
    assert [item["name"] for item in told["entries"]] == [declared.name for declared in SCHEDULES]
    assert {item["action"] for item in told["entries"]} == {"created"}


def test_the_command_fails_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with a traceback."""
    monkeypatch.setattr(sync_schedules, "SCHEDULES", (entry(task="ops.clear_session"),))
    with pytest.raises(CommandError, match=r"did you mean 'ops\.clear_sessions'"):
        run()
