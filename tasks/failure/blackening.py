"""A dead job's message and error as they may be shown: secrets blacked out, nothing that the database can't hold."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from inspect import signature
from typing import Any, Final, cast

from ..enqueue.registry import find_task
from .readable import storable
from .redaction import Redaction, TaskSecrets
from .remains import Remains, said

# Where Celery shows the arguments as text, for its logs and for Flower.
_REPRS: Final = ("argsrepr", "kwargsrepr")


@dataclass(frozen=True, slots=True)
class Blackened:
    """What may be shown of a message. is_faithful: whether it is all of it, as it was."""

    headers: dict[str, Any]
    properties: dict[str, Any]
    body: str
    is_faithful: bool
    redaction: Redaction

    def text(self, text: str) -> str:
        """*text* with the message's secrets blacked out."""
        return self.redaction.text(text)


def blackened(remains: Remains) -> Blackened:
    """*remains* as they may be shown."""
    redaction = Redaction(task_secrets)
    args, kwargs, follows = remains.parts
    shown_args, shown_kwargs = redaction.call(remains.name, args, kwargs)
    shown = [shown_args, shown_kwargs, redaction.inside(follows)]
    headers = redaction.inside(dict(remains.headers))
    for name in _REPRS:
        if redaction.found and isinstance(headers.get(name), str):
            headers[name] = redaction.text(headers[name])
    properties = redaction.inside(dict(remains.properties))
    stored_headers, stored_properties = storable(headers), storable(properties)
    return Blackened(
        headers=stored_headers,
        properties=stored_properties,
        body=json.dumps(shown) if redaction.found or redaction.is_cut else remains.body,
        is_faithful=not (redaction.found or redaction.is_cut)
        and (stored_headers, stored_properties) == (headers, properties),
        redaction=redaction,
    )


class Withheld(Exception):
    """Stands for an error that would show a secret whatever is blacked out in it: one that it keeps out of reach."""

    def __init__(self, error_type: str, said: str) -> None:
        super().__init__(error_type, said)
        self.error_type, self.said = error_type, said

    def __str__(self) -> str:
        return f"{self.error_type}: {self.said}" if self.said else self.error_type


def black_out(error: Exception, redaction: Redaction) -> Exception:
    """*error*, and what it came of, as they may be logged: without what *redaction* has found.

    The same error with its texts blacked out, where that is enough; else a `Withheld` in its place.
    """
    return cast("Exception", _Eraser(redaction).shown(error)) if redaction.found else error


class _Eraser:
    """Goes through the errors of one chain, each once."""

    def __init__(self, redaction: Redaction) -> None:
        self._text = redaction.text
        # With the error itself, so that no other one gets its id meanwhile.
        self._done: dict[int, tuple[BaseException, BaseException]] = {}

    def shown(self, error: BaseException) -> BaseException:
        """What may be logged in the place of *error*."""
        if id(error) in self._done:
            return self._done[id(error)][1]
        self._done[id(error)] = error, error
        text = self._text(said(error))  # while it still says what it is to say
        with suppress(Exception):  # what can't be changed is replaced
            error.args = self._within(error.args)
            vars(error).update({name: self._within(value) for name, value in vars(error).items()})
        found = error
        if not self._is_clean(error):
            found = Withheld(type(error).__qualname__, text).with_traceback(error.__traceback__)
        self._done[id(error)] = error, found
        cause, context, is_hidden = error.__cause__, error.__context__, error.__suppress_context__
        found.__cause__ = None if cause is None else self.shown(cause)
        found.__context__ = None if context is None else self.shown(context)
        found.__suppress_context__ = is_hidden  # setting a cause hides the context
        return found

    def _within(self, value: Any) -> Any:
        """*value* of an error, of the kinds that are looked through, blacked out."""
        if isinstance(value, BaseException):
            return self.shown(value)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int | float | bytes) and not isinstance(value, bool):
            text = self._text(repr(value))
            return value if text == repr(value) else text
        if type(value) is dict:
            return {self._within(key): self._within(item) for key, item in value.items()}
        if type(value) in (list, tuple, set, frozenset):
            return type(value)(self._within(item) for item in value)
        return value

    def _is_clean(self, error: BaseException) -> bool:
        members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        if any(self.shown(member) is not member for member in members):
            return False
        try:
            texts = str(error), repr(error)
        except Exception:  # noqa: BLE001 -- somebody's __str__ may count on what was blacked out
            return False
        return all(self._text(text) == text for text in texts)


def task_secrets(name: str) -> TaskSecrets:
    """What the task *name* declares as secret; nothing for one that isn't here."""
    task = find_task(name)
    if task is None:
        return TaskSecrets()
    return TaskSecrets(frozenset(getattr(task, "secret", ())), tuple(signature(task.run).parameters))
