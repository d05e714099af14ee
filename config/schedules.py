"""What beat starts by the clock. `manage.py sync_schedules` puts it into beat's tables.

Each entry's `missed` says what becomes of a tick for which beat or the workers were not there. An entry may be
switched off in the admin and stays off; everything else about it is said here.

Beat takes a tick that it missed up when it is back, but one for a plain hour only if it is back within two hours of
that hour. None of these jobs counts on it: each looks at what there is to do, not at what time it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

# Stands for the project's own time zone, the variable TIME_ZONE: there a day begins and ends.
PROJECT_TIME_ZONE: Final = "project"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crontab:
    """Moments by the clock on the wall in *time_zone*, an IANA name or PROJECT_TIME_ZONE; the fields are cron's."""

    time_zone: str
    minute: str = "*"
    hour: str = "*"
    day_of_month: str = "*"
    month_of_year: str = "*"
    day_of_week: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One schedule.

    name: as people see it in the admin, and what tells entries apart: another name is another entry.
    task: the wire name. when: by the clock, or every so often.
    expires: a message older than this is dropped by the worker, so that ticks don't pile up; None keeps it.
    missed: what becomes of a missed tick.
    """

    name: str
    task: str
    when: Crontab | timedelta
    missed: str
    kwargs: Mapping[str, object] = field(default_factory=dict)
    expires: timedelta | None = None


SCHEDULES: Final[tuple[Entry, ...]] = (
    Entry(
        name="Daily sales report",
        task="reports.build_daily_report",
        when=Crontab(hour="9", minute="0", time_zone=PROJECT_TIME_ZONE),
        missed="Made up: the next one also builds what is missing of the last week.",
    ),
    Entry(
        name="Supplier sync",
        task="integrations.sync_supplier",
        when=timedelta(minutes=5),
        expires=timedelta(minutes=5),
        missed="Skipped: the next one brings everything up to date.",
    ),
    Entry(
        name="Due reminders",
        task="notifications.publish_reminders",
        when=timedelta(minutes=10),  # three times within config.limits.REMINDER_HORIZON
        expires=timedelta(minutes=10),
        missed="Made up: the next one takes those that are overdue, too.",
    ),
    Entry(
        name="Jobs that the broker has forgotten",
        task="tasks.send_unfinished_again",
        when=timedelta(minutes=1),
        expires=timedelta(minutes=1),
        missed="Skipped: the next one sends them.",
    ),
    Entry(
        name="Hourly: idempotency keys whose time is over",
        task="tasks.prune_ledger",
        when=timedelta(hours=1),
        expires=timedelta(hours=1),
        missed="Skipped: the next one deletes twice as many.",
    ),
    Entry(
        name="Hourly: jobs that ended long ago",
        task="tasks.prune_outbox",
        when=timedelta(hours=1),
        expires=timedelta(hours=1),
        missed="Skipped: the next one deletes twice as many.",
    ),
    Entry(
        name="Hourly: locks of unique jobs whose time is over",
        task="tasks.prune_unique_locks",
        when=timedelta(hours=1),
        expires=timedelta(hours=1),
        missed="Skipped: the next one deletes twice as many.",
    ),
    Entry(
        name="Hourly: dead letters that were closed long ago",
        task="tasks.prune_letters",
        when=timedelta(hours=1),
        expires=timedelta(hours=1),
        missed="Skipped: the next one deletes twice as many.",
    ),
    Entry(
        name="Redrives of which nobody told how they ended",
        task="tasks.settle_redrives",
        when=timedelta(minutes=5),
        expires=timedelta(minutes=5),
        missed="Skipped: the next one settles them.",
    ),
    # Nights avoid 2:00 to 3:00, an hour that some nights lack and some have twice.
    Entry(
        name="Nightly: expired sessions",
        task="ops.clear_sessions",
        when=Crontab(hour="3", minute="30", time_zone=PROJECT_TIME_ZONE),
        missed="Skipped: the next night deletes twice as many.",
    ),
    Entry(
        name="Nightly: old sync runs",
        task="integrations.delete_old_runs",
        when=Crontab(hour="3", minute="35", time_zone=PROJECT_TIME_ZONE),
        missed="Skipped: the next night deletes twice as many.",
    ),
    Entry(
        name="Nightly: old reports",
        task="reports.delete_old_reports",
        when=Crontab(hour="3", minute="40", time_zone=PROJECT_TIME_ZONE),
        missed="Skipped: the next night deletes twice as many.",
    ),
    Entry(
        name="Weekly: files of builds that died",
        task="reports.delete_orphan_files",
        when=Crontab(day_of_week="sun", hour="4", minute="0", time_zone=PROJECT_TIME_ZONE),
        missed="Skipped: they wait another week.",
    ),
    Entry(
        name="Weekly: old reminders",
        task="notifications.delete_old_reminders",
        when=Crontab(day_of_week="sun", hour="4", minute="10", time_zone=PROJECT_TIME_ZONE),
        missed="Skipped: they wait another week.",
    ),
)
