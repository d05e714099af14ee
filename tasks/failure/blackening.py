"""A dead job's message as it may be shown: secrets blacked out, and nothing in it that the database can't hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from inspect import signature
from typing import Any, Final

from ..enqueue.registry import find_task
from .readable import storable
from .redaction import Redaction, TaskSecrets
from .remains import Remains

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


def black_out(error: BaseException, redaction: Redaction) -> None:
    """Take what *redaction* has found out of what *error* says, and of what it came of, before it is logged."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        found.args = tuple(redaction.text(item) if isinstance(item, str) else item for item in found.args)
        if notes := getattr(found, "__notes__", None):
            found.__notes__ = [redaction.text(note) for note in notes]
        found = found.__cause__ or found.__context__


def task_secrets(name: str) -> TaskSecrets:
    """What the task *name* declares as secret; nothing for one that isn't here."""
    task = find_task(name)
    if task is None:
        return TaskSecrets()
    return TaskSecrets(frozenset(getattr(task, "secret", ())), tuple(signature(task.run).parameters))
