"""What of `config/schedules.py` could not work, said before anything is written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final
from zoneinfo import available_timezones

from celery import current_app
from celery.schedules import ParseException, crontab
from django.core.exceptions import ValidationError
from django_celery_beat.models import CrontabSchedule

from config.schedules import PROJECT_TIME_ZONE, Crontab, Entry
from tasks import PayloadRefused
from tasks.conf import conf
from tasks.enqueue.payloads import check_payload

from ..errors import ScheduleRefused

WORDS: Final[dict[str, Sequence[str]]] = {
    "day_of_week": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
    "month_of_year": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
}


def schedules_check(entries: Sequence[Entry]) -> None:
    """Raise ScheduleRefused with everything that is wrong with *entries*."""
    current_app.loader.import_default_modules()
    counts = Counter(entry.name for entry in entries)
    problems = [f"{name!r} is declared {count} times" for name, count in counts.items() if count > 1]
    problems += [f"{entry.name!r}: {problem}" for entry in entries for problem in _problems(entry)]
    if problems:
        raise ScheduleRefused(tuple(problems))


def _problems(entry: Entry) -> Iterator[str]:
    task = current_app.tasks.get(entry.task)
    if task is None:
        own = [name for name in current_app.tasks if not name.startswith("celery.")]
        yield f"no task is registered as {entry.task!r}{_hint(entry.task, own)}"
    else:
        yield from _argument_problems(task, entry)
    if isinstance(entry.when, Crontab):
        yield from _crontab_problems(entry.when)
    elif not _is_whole(entry.when):
        yield f"'every' must be whole seconds above zero, not {entry.when}"
    if entry.expires is not None and not _is_whole(entry.expires):
        yield f"'expires' must be whole seconds above zero, not {entry.expires}"


def _argument_problems(task: Any, entry: Entry) -> Iterator[str]:
    try:
        task.__header__(**entry.kwargs)
        check_payload(entry.task, (), entry.kwargs, max_bytes=conf().payload_max_bytes)
    except (TypeError, PayloadRefused) as error:
        yield f"{entry.task} won't take these arguments: {error}"


def _crontab_problems(when: Crontab) -> Iterator[str]:
    zones = available_timezones()
    if when.time_zone != PROJECT_TIME_ZONE and when.time_zone not in zones:
        yield f"there is no time zone {when.time_zone!r}{_hint(when.time_zone, [*zones, PROJECT_TIME_ZONE])}"
    for field in fields(when):
        if field.name != "time_zone" and (reason := _field_problem(field.name, getattr(when, field.name))):
            yield reason


def _field_problem(name: str, value: str) -> str:
    """Why cron can't read *value*: both Celery, which runs it, and django-celery-beat, which keeps it, must."""
    try:
        crontab(**{name: value})
        CrontabSchedule(**{name: value}).clean_fields()
    except (ValidationError, ParseException, ValueError, KeyError) as error:
        reason = "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        words = WORDS.get(name, ())
        unknown = [word for word in re.findall(r"[A-Za-z]+", value) if word.lower() not in words]
        hint = _hint(unknown[0].lower()[:3], words) if unknown else ""
        return f"{name} {value!r} is nothing that cron can read{hint} ({reason})"
    return ""


def _is_whole(duration: timedelta) -> bool:
    return duration > timedelta(0) and not duration.microseconds


def _hint(given: str, known: Iterable[str]) -> str:
    close = get_close_matches(given, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
