"""Other arguments for a job that is redriven: by parameter name, over its own, and checked as a call would be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from celery.utils.saferepr import saferepr
from kombu.utils.json import dumps, object_hook

from ..conf import conf
from ..enqueue.payloads import check_payload
from ..errors import PayloadRefused, RedriveRefused
from ..failure.redaction import BLACK
from ..failure.remains import Remains
from .fitting import Fitted, UnfitArgument, fitted


def with_arguments(task: Any, remains: Remains, given: Mapping[str, Any]) -> Remains:
    """The message with *given* in place of its own arguments of those names; a value that is blacked out stays.

    What the task doesn't take of its own is dropped. Raises RedriveRefused for what it doesn't take of *given*, what
    wouldn't arrive as it is, and what has to be given because it can't be told from others.
    """
    args, kwargs = remains.arguments
    found = fitted(task, args, kwargs)
    if found.is_whole and not given:
        return remains
    for name, value in given.items():
        if value != BLACK:
            _give(remains, found, name, value)
    if found.untold:
        which = ", ".join(found.untold)
        raise RedriveRefused(remains.id, f"its own arguments don't tell which of them is meant: give {which}")
    try:
        args, kwargs = found.call()
        check_payload(remains.name, args, kwargs, max_bytes=conf().payload_max_bytes)
    except (UnfitArgument, PayloadRefused) as error:
        raise RedriveRefused(remains.id, str(error)) from error
    shown_args, shown_kwargs = task.without_secrets(tuple(args), kwargs)
    headers = {**remains.headers, "argsrepr": saferepr(shown_args), "kwargsrepr": saferepr(shown_kwargs)}
    return replace(remains, headers=headers, body=dumps([args, kwargs, remains.parts[2]]))


def check_arguments(task: Any, remains: Remains) -> None:
    """Raise RedriveRefused when the message's arguments are none that the task takes."""
    args, kwargs, _ = remains.parts
    try:
        task.__header__(*args, **kwargs)
    except TypeError as error:
        raise RedriveRefused(remains.id, f"the task doesn't take its arguments ({error}): give others") from error


def _give(remains: Remains, found: Fitted, name: str, value: Any) -> None:
    try:
        if BLACK in json.dumps(value, default=str):
            raise RedriveRefused(remains.id, f"{name} holds a value that is blacked out: give all of it, or leave it")
        found.give(name, _read(value))
    except RecursionError:
        raise RedriveRefused(remains.id, f"{name} is nested too deep") from None
    except UnfitArgument as error:
        known = list(found.signature.parameters)
        if name in known:
            raise RedriveRefused(remains.id, str(error)) from error
        close = get_close_matches(name, known, n=1)
        hint = f", did you mean {close[0]!r}?" if close else f"; it has {', '.join(known) or 'none'}"
        raise RedriveRefused(remains.id, f"{error}{hint}") from error
    except (ValueError, TypeError, AttributeError) as error:  # of whatever kombu has a type for
        raise RedriveRefused(remains.id, f"{name} is none of its type: {error}") from error


def _read(value: Any) -> Any:
    """What a person typed as the letter shows it: kombu's form for what JSON has none for stands for that."""
    if isinstance(value, list):
        return [_read(item) for item in value]
    if isinstance(value, dict):
        return object_hook({key: _read(item) for key, item in value.items()})
    return value
