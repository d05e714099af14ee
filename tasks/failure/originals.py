"""What a letter's message said before its secrets were blacked out: what a redrive sends."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from ..errors import RedriveRefused
from .letter_models import DeadLetter
from .redaction import BLACK, TOO_DEEP
from .remains import Remains
from .sealing import SealBroken, unseal
from .shapes import message_flaw


def original_of(letter: DeadLetter) -> Remains:
    """The message as it came. Raises RedriveRefused when it can't be read, by whomever it was written, or opened."""
    if letter.raw is not None or not letter.body or not letter.name:
        raise RedriveRefused(letter.task_id, "its message can't be read, so there is nothing to send")
    message = {"headers": letter.headers, "properties": letter.properties, "body": letter.body}
    if letter.sealed is not None:
        try:
            message = unseal(letter.sealed)
        except (SealBroken, ImproperlyConfigured) as error:
            raise RedriveRefused(letter.task_id, str(error)) from error
    if flaw := message_flaw(message["headers"], message["properties"], message["body"]):
        raise RedriveRefused(letter.task_id, f"{flaw}, so there is nothing to send")
    return Remains(
        task_id=letter.task_id,
        name=letter.name,
        headers=message["headers"],
        properties=message["properties"],
        body=message["body"],
        queue=letter.queue,
        exchange=letter.exchange,
        priority=letter.priority,
    )


def letter_flaw(letter: DeadLetter) -> str:
    """What keeps the message that *letter* shows from being a task's, or bytes that are none; "" when nothing does."""
    return message_flaw(letter.headers, letter.properties, letter.body or "[[], {}, null]")


def parts_shown(letter: DeadLetter) -> tuple[list[Any], dict[str, Any], dict[str, Any]] | None:
    """(args, kwargs, follows) as they may be shown; None where there are none that can be read."""
    if not letter.body or letter_flaw(letter):
        return None
    args, kwargs, follows = json.loads(letter.body)
    return args, kwargs, follows or {}


def is_whole(remains: Remains) -> bool:
    """Whether nothing in it was blacked out without having been sealed."""
    return BLACK not in remains.body and TOO_DEEP not in remains.body
