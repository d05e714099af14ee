"""Everything that `config/schedules.py` declares can work; and what could not is refused with the fix."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app

from apps.ops.errors import ScheduleRefused
from apps.ops.services.schedule_checks import schedules_check
from config.queues import QUEUES
from config.schedules import PROJECT_TIME_ZONE, SCHEDULES, Crontab, Entry
from project.celery import app


@pytest.fixture(autouse=True)
def project_app() -> None:
    """Importing pytest-celery makes an app without a broker the current one."""
    app.set_current()


def entry(**changes: Any) -> Entry:
    values = {"name": "Chore", "task": "ops.clear_sessions", "when": timedelta(minutes=5), "missed": "Skipped."}
    return Entry(**{**values, **changes})


def crontab(**fields: str) -> Crontab:
    return Crontab(**{"time_zone": PROJECT_TIME_ZONE, **fields})


def test_what_is_declared_is_accepted() -> None:
    """The deploy runs the sync; it must not find out only then."""
    schedules_check(SCHEDULES)


@pytest.mark.parametrize("declared", SCHEDULES, ids=lambda declared: declared.name)
def test_every_entrys_task_is_registered_and_goes_to_a_declared_queue(declared: Entry) -> None:
    """Beat sends what it is told; a name that nobody knows would be dropped by the worker."""
    app.loader.import_default_modules()
    assert declared.task in current_app.tasks
    route = app.amqp.router.route({}, declared.task)
    assert route["queue"].name in QUEUES


def test_every_entry_says_what_becomes_of_a_missed_tick() -> None:
    """Whoever is woken at night by a beat that was down must not have to guess."""
    assert all(declared.missed.startswith(("Made up: ", "Skipped: ")) for declared in SCHEDULES)


def test_no_nightly_job_is_at_an_hour_that_some_nights_lack() -> None:
    """Between two and three the clocks change: such a tick would be missed once a year, and double once a year."""
    hours = {declared.when.hour for declared in SCHEDULES if isinstance(declared.when, Crontab)}
    assert "2" not in hours


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (
            entry(task="ops.clear_session"),
            "no task is registered as 'ops.clear_session', did you mean 'ops.clear_sessions'?",
        ),
        (entry(kwargs={"age": 3}), "ops.clear_sessions won't take these arguments: .*age"),
        (entry(task="reports.build_sales_report"), "won't take these arguments: .*report_id"),
        (
            entry(task="reports.build_sales_report", kwargs={"report_id": (1, 2)}),
            "won't take these arguments: .*send a list",
        ),
        (entry(when=timedelta(0)), "must be whole seconds above zero"),
        (entry(when=timedelta(seconds=0.5)), "must be whole seconds above zero"),
        (entry(expires=timedelta(seconds=-1)), "'expires' must be whole seconds"),
        (entry(when=crontab(hour="25")), "hour '25' is nothing that cron can read"),
        (entry(when=crontab(minute="*/0")), "minute '\\*/0' is nothing that cron can read"),
        (entry(when=crontab(minute="")), "minute '' is nothing that cron can read"),
        (entry(when=crontab(day_of_week="mondy")), "did you mean 'mon'?"),
        (entry(when=crontab(month_of_year="janury")), "did you mean 'jan'?"),
        (entry(when=crontab(day_of_month="32")), "day_of_month '32' is nothing"),
        (entry(when=crontab(time_zone="Europe/Berln")), "no time zone 'Europe/Berln', did you mean 'Europe/Berlin'?"),
    ],
)
def test_what_could_not_work_is_refused_with_what_may_be_meant(declared: Entry, problem: str) -> None:
    """Beat would skip it silently, or send what no worker can run."""
    with pytest.raises(ScheduleRefused, match=problem):
        schedules_check([declared])


@pytest.mark.parametrize(
    "when",
    [
        crontab(minute="0", hour="9"),
        crontab(minute="*/15", hour="8-18", day_of_week="mon-fri"),
        crontab(minute="0,30", day_of_month="1,15", month_of_year="jan,jul"),
        crontab(minute="0", hour="4", day_of_week="sun", time_zone="America/New_York"),
    ],
)
def test_what_cron_can_read_is_accepted(when: Crontab) -> None:
    """Both by Celery, which runs it, and by the table that keeps it."""
    schedules_check([entry(when=when)])


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """Not one thing a deploy."""
    with pytest.raises(ScheduleRefused) as caught:
        schedules_check([entry(task="a.b"), entry(when=timedelta(0))])
    problems = caught.value.problems
    assert problems[0] == "'Chore' is declared 2 times"
    assert len(problems) == 3
