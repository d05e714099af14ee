"""The options that `@task` takes: our own, and those that Celery knows.

Celery accepts a misspelt option silently; here it is refused on the line that declares it. The list of
Celery's options is checked against the installed Celery by a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from .errors import InvalidDeclaration, RefusedOption, UnknownOption

# What a task says about its effect; see `execution.attempt`.
EFFECT_OPTIONS: Final = frozenset({"effect", "once", "ttl", "lease", "on_unknown", "reconcile"})

# What a task says about its death; see `decorators`.
LETTER_OPTIONS: Final = frozenset({"secret", "on_death", "on_redrive", "keep_revoked"})

OWN: Final = frozenset(
    {"retry", "retry_on", "time_limit", "soft_time_limit", "unique", "budget", *EFFECT_OPTIONS, *LETTER_OPTIONS}
)

# What `enqueue` takes beside the task's own arguments; so no parameter of a task may have such a name.
ENQUEUE_OPTIONS: Final = frozenset(
    {"countdown", "eta", "expires", "priority", "headers", "task_id", "link", "link_error"}
)

CELERY: Final = frozenset(
    {
        "acks_late", "acks_on_failure", "acks_on_failure_or_timeout", "acks_on_timeout",
        "backend", "base", "bind", "compression",
        "default_retry_delay", "expires", "ignore_result", "max_retries", "pydantic", "pydantic_context",
        "pydantic_dump_kwargs", "pydantic_strict", "rate_limit", "reject_on_worker_lost",
        "resultrepr_maxsize",
        "retry_on_worker_lost", "send_events", "serializer", "shadow_name", "store_errors_even_if_ignored",
        "store_eager_result", "throws", "track_started", "trail", "typing", "Request", "Strategy",
        "before_start", "after_return", "on_failure", "on_retry", "on_success", "on_replace",
    }
)  # fmt: skip

_BY_ROUTE = "Celery 6 drops it: route the task by its name in `task_routes`"
_BY_RETRY = "say `retry=RetryPolicy(...)` and `retry_on=(...)`"
REFUSED: Final[dict[str, str]] = {
    "queue": _BY_ROUTE,
    "exchange": _BY_ROUTE,
    "routing_key": _BY_ROUTE,
    "priority": _BY_ROUTE,
    "delivery_mode": _BY_ROUTE,
    "autoretry_for": _BY_RETRY,
    "dont_autoretry_for": _BY_RETRY,
    "retry_backoff": _BY_RETRY,
    "retry_backoff_max": _BY_RETRY,
    "retry_jitter": _BY_RETRY,
    "retry_kwargs": _BY_RETRY,
    "name": "the wire name is the first argument of `@task`",
}

WIRE_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


def check_options(task: str, given: Iterable[str]) -> None:
    """Raise UnknownOption or RefusedOption for the first of *given* that `@task` doesn't take."""
    for option in given:
        if option in REFUSED:
            raise RefusedOption(task, option, REFUSED[option])
        if option not in OWN and option not in CELERY:
            raise UnknownOption(task, option, tuple(sorted(OWN | CELERY)))


def check_name(name: object) -> str:
    """Return *name* if it is a wire name, `<domain>.<verb_object>`; else raise InvalidDeclaration."""
    if not isinstance(name, str) or not WIRE_NAME.fullmatch(name):
        raise InvalidDeclaration(
            str(name),
            "a wire name is required, '<domain>.<verb_object>', as in 'orders.charge_payment'; it never changes",
        )
    return name


def check_limits(task: str, hard: object, soft: object) -> tuple[float, float]:
    """Return (hard, soft) limits in seconds; the soft one is nine tenths of the hard one unless given."""
    if not isinstance(hard, timedelta) or hard <= timedelta(0):
        raise InvalidDeclaration(task, "a time limit is required: time_limit=timedelta(seconds=60), say")
    if soft is None:
        soft = hard * 0.9
    if not isinstance(soft, timedelta) or not timedelta(0) < soft < hard:
        raise InvalidDeclaration(task, f"soft_time_limit must be a timedelta below time_limit ({hard}), not {soft!r}")
    return hard.total_seconds(), soft.total_seconds()
