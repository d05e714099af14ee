"""Bringing beat's tables in line with `config/schedules.py`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from config.schedules import PROJECT_TIME_ZONE, Crontab, Entry

from ..errors import NameTaken
from ..models import DeclaredSchedule
from .schedule_checks import schedules_check

# Taken for the time of a sync, so that two at once don't both create an entry. Any number that nobody else takes.
LOCK: Final = 7_303_014
RETIRED: Final = "No longer in config/schedules.py, so it was switched off. "
PERIODS: Final = ((86_400, IntervalSchedule.DAYS), (3_600, IntervalSchedule.HOURS), (60, IntervalSchedule.MINUTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the sync did to one entry: "created", "updated", "resumed", "retired" or "unchanged".

    fields: which were brought back to what the file says. enabled: False where a person or a retirement says so.
    """

    name: str
    task: str
    when: str
    action: str
    enabled: bool
    fields: tuple[str, ...] = ()


@transaction.atomic
def schedules_sync(*, entries: Sequence[Entry], dry_run: bool = False) -> list[Change]:
    """Create, update and retire entries until beat's tables say what *entries* say; return what was done to each.

    An entry that a person made is never touched, and `enabled` of ours is a person's to change. With *dry_run*
    everything is done and taken back. Raises ScheduleRefused and NameTaken, and then nothing has changed.
    """
    schedules_check(entries)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    declared = {mark.name: mark for mark in DeclaredSchedule.objects.select_related("entry")}
    changes = [_bring_in_line(entry, declared.pop(entry.name, None)) for entry in entries]
    changes += [_retire(mark) for mark in declared.values() if mark.retired_at is None]
    if dry_run:
        transaction.set_rollback(True)
    return changes


def _bring_in_line(entry: Entry, mark: DeclaredSchedule | None) -> Change:
    wanted = _wanted(entry)
    if mark is None:
        if PeriodicTask.objects.filter(name=entry.name).exists():
            raise NameTaken(entry.name)
        created = PeriodicTask.objects.create(**wanted)
        DeclaredSchedule.objects.create(name=entry.name, entry=created)
        return _change(created, "created")
    row = mark.entry
    differing = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    action = "updated" if differing else "unchanged"
    if {"crontab", "interval"} & differing.keys():
        differing["last_run_at"] = None  # counts from now, so that a moment already past today doesn't fire at once
    if mark.retired_at is not None:
        action = "resumed"
        differing["enabled"] = mark.was_enabled
        mark.retired_at = None
        mark.save()
    if differing:
        _write(row, differing)
    return _change(row, action, tuple(sorted(differing)))


def _retire(mark: DeclaredSchedule) -> Change:
    row = mark.entry
    mark.was_enabled, mark.retired_at = row.enabled, timezone.now()
    mark.save()
    _write(row, {"enabled": False, "description": RETIRED + row.description})
    return _change(row, "retired")


def _write(row: Any, values: dict[str, Any]) -> None:
    """Save these fields alone: beat itself writes `last_run_at` and `total_run_count` meanwhile."""
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=[*values, "date_changed"])


def _wanted(entry: Entry) -> dict[str, Any]:
    """Every field of beat's row that is ours to say: all but `enabled` and beat's own books."""
    return {
        "name": entry.name,
        "task": entry.task,
        "crontab": _crontab(entry.when) if isinstance(entry.when, Crontab) else None,
        "interval": None if isinstance(entry.when, Crontab) else _interval(entry.when),
        "solar": None,
        "clocked": None,
        "args": "[]",
        "kwargs": json.dumps(dict(entry.kwargs), sort_keys=True),
        "queue": None,
        "exchange": None,
        "routing_key": None,
        "headers": "{}",
        "priority": None,
        "expires": None,
        "expire_seconds": int(entry.expires.total_seconds()) if entry.expires else None,
        "one_off": False,
        "start_time": None,
        "description": f"Declared in config/schedules.py. A missed tick: {entry.missed}",
    }


def _crontab(when: Crontab) -> Any:
    """The schedule's row; rows are shared, so one that fits is used and none is ever changed."""
    zone = settings.TIME_ZONE if when.time_zone == PROJECT_TIME_ZONE else when.time_zone
    values = {
        "minute": when.minute,
        "hour": when.hour,
        "day_of_month": when.day_of_month,
        "month_of_year": when.month_of_year,
        "day_of_week": when.day_of_week,
        "timezone": zone,
    }
    return CrontabSchedule.objects.filter(**values).order_by("pk").first() or CrontabSchedule.objects.create(**values)


def _interval(every: timedelta) -> Any:
    seconds = int(every.total_seconds())
    count, period = next(
        ((seconds // length, name) for length, name in PERIODS if not seconds % length),
        (seconds, IntervalSchedule.SECONDS),
    )
    values = {"every": count, "period": period}
    return IntervalSchedule.objects.filter(**values).order_by("pk").first() or IntervalSchedule.objects.create(**values)


def _change(row: Any, action: str, fields: tuple[str, ...] = ()) -> Change:
    return Change(
        name=row.name, task=row.task, when=str(row.scheduler), action=action, enabled=row.enabled, fields=fields
    )
