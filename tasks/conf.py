"""The toolkit's settings, read from `django.conf.settings.TASKS` and checked.

TASKS = {
    "RETRY_TIME_SCALE": 1.0,     # every wait between attempts times this; below 1 in demos and tests
    "PAYLOAD_MAX_BYTES": 65536,  # bound on a message's arguments as JSON
    "LEDGER_WAIT": timedelta(seconds=5),  # a delivery waits so long for another on its key, then is given back
    "LEASE_TIME_SCALE": 1.0,     # every lease on an idempotency key times this; below 1 in tests
    "OUTBOX_UNFINISHED_AFTER": timedelta(minutes=30),  # sent so long ago and not finished: sent again
    "OUTBOX_KEPT_FOR": timedelta(days=7),  # so long after its end a job's row, and with it its status, is deleted
    "DEATHS_MAX": 3,             # so often a job may take the process that runs it with it, then it is a dead letter
    "RELEASE": "",               # of the program, kept with what dies under it
    "LETTERS_KEPT_FOR": timedelta(days=30),  # so long after it was resolved or discarded a dead letter is deleted
    "LETTERS_OPEN_FOR": timedelta(days=365),  # so long after its last death one that nobody closed is deleted
    "LETTERS_MAX": 1_000_000,    # more are not kept: closed ones go first, then the oldest
    "CRASH_AT": "",              # see `crashpoints`; only for tests
    "METRICS_PORT": 0,           # where a relay serves dead letters and circuits to Prometheus; 0: nowhere
    "HEARTBEAT_FILE": "",        # touched by a worker or beat that is well; see `operation.heartbeat`
}
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """The settings as read, with their defaults."""

    retry_time_scale: float = 1.0
    payload_max_bytes: int = 64 * 1024
    ledger_wait: timedelta = timedelta(seconds=5)
    lease_time_scale: float = 1.0
    outbox_unfinished_after: timedelta = timedelta(minutes=30)
    outbox_kept_for: timedelta = timedelta(days=7)
    deaths_max: int = 3
    release: str = ""
    letters_kept_for: timedelta = timedelta(days=30)
    letters_open_for: timedelta = timedelta(days=365)
    letters_max: int = 1_000_000
    crash_at: str = ""
    metrics_port: int = 0
    heartbeat_file: str = ""


_KINDS: dict[type, tuple[Any, str]] = {
    str: (str, "text"),
    int: (int, "a whole number"),
    float: (int | float, "a number"),
    timedelta: (timedelta, "a timedelta"),
}


@lru_cache(maxsize=1)
def conf() -> Conf:
    """The checked settings. Raises ImproperlyConfigured for an unknown name or a figure out of range."""
    given = dict(getattr(settings, "TASKS", {}))
    known = {field.name.upper(): field for field in fields(Conf)}
    for name, value in given.items():
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f", did you mean {close[0]!r}?" if close else f": known are {', '.join(known)}."
            raise ImproperlyConfigured(f"TASKS has the unknown setting {name!r}{hint}")
        kind, words = _KINDS[type(known[name].default)]
        if isinstance(value, bool) or not isinstance(value, kind):
            raise ImproperlyConfigured(f"TASKS[{name!r}] is {value!r}: expected {words}.")
    read = Conf(**{known[name].name: value for name, value in given.items()})
    if read.retry_time_scale < 0 or read.payload_max_bytes <= 0 or read.deaths_max < 1:
        raise ImproperlyConfigured(f"TASKS has a figure out of range: {given}")
    return read


@receiver(setting_changed)
def _forget(*, setting: str, **_: object) -> None:
    if setting == "TASKS":
        conf.cache_clear()
