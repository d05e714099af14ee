"""Other arguments for a job that is redriven: by parameter name, over its own, and checked as a call would be."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final

from celery.utils.saferepr import saferepr
from kombu.utils.json import dumps

from ..conf import conf
from ..enqueue.payloads import check_payload
from ..errors import PayloadRefused, RedriveRefused
from ..failure.redaction import BLACK
from ..failure.remains import Remains

_VARIABLE: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def with_arguments(task: Any, remains: Remains, given: Mapping[str, Any]) -> Remains:
    """The message with *given* in place of its own arguments of those names; a value that is blacked out stays.

    Raises RedriveRefused for what the task doesn't take, or what wouldn't arrive as it is.
    """
    args, kwargs, follows = remains.parts
    signature = inspect.signature(task.run)
    try:
        bound = signature.bind_partial(*args, **kwargs)
    except TypeError:  # why it died, perhaps
        bound = signature.bind_partial()
    for name, value in given.items():
        if value == BLACK:
            continue
        if BLACK in json.dumps(value, default=str):
            raise RedriveRefused(remains.id, f"{name} holds a value that is blacked out: give all of it, or leave it")
        _set(remains, signature, bound, name, value)
    try:
        check_payload(remains.name, bound.args, bound.kwargs, max_bytes=conf().payload_max_bytes)
    except PayloadRefused as error:
        raise RedriveRefused(remains.id, str(error)) from error
    shown_args, shown_kwargs = task.without_secrets(bound.args, bound.kwargs)
    headers = {**remains.headers, "argsrepr": saferepr(shown_args), "kwargsrepr": saferepr(shown_kwargs)}
    return replace(remains, headers=headers, body=dumps([list(bound.args), bound.kwargs, follows]))


def check_arguments(task: Any, remains: Remains) -> None:
    """Raise RedriveRefused when the message's arguments are none that the task takes."""
    args, kwargs, _ = remains.parts
    try:
        task.__header__(*args, **kwargs)
    except TypeError as error:
        raise RedriveRefused(remains.id, f"the task doesn't take its arguments ({error}): give others") from error


def _set(remains: Remains, signature: inspect.Signature, bound: Any, name: str, value: Any) -> None:
    parameters = signature.parameters
    if name in parameters and parameters[name].kind not in _VARIABLE:
        bound.arguments[name] = value
        return
    for parameter in parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            bound.arguments.setdefault(parameter.name, {})[name] = value
            return
    known = [parameter.name for parameter in parameters.values() if parameter.kind not in _VARIABLE]
    close = get_close_matches(name, known, n=1)
    hint = f", did you mean {close[0]!r}?" if close else f"; it has {', '.join(known) or 'none'}"
    raise RedriveRefused(remains.id, f"the task has no parameter {name!r}{hint}")
