"""What a letter's message said before its secrets were blacked out: what a redrive sends."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from ..errors import RedriveRefused
from .letter_models import DeadLetter
from .redaction import BLACK, TOO_DEEP
from .remains import Remains
from .sealing import SealBroken, unseal


def original_of(letter: DeadLetter) -> Remains:
    """The message as it came. Raises RedriveRefused when it could not be read, or can't be opened."""
    if letter.raw is not None or not letter.body or not letter.name:
        raise RedriveRefused(letter.task_id, "its message can't be read, so there is nothing to send")
    message = {"headers": letter.headers, "properties": letter.properties, "body": letter.body}
    if letter.sealed is not None:
        try:
            message = unseal(letter.sealed)
        except (SealBroken, ImproperlyConfigured) as error:
            raise RedriveRefused(letter.task_id, str(error)) from error
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


def is_whole(remains: Remains) -> bool:
    """Whether nothing in it was blacked out without having been sealed."""
    return BLACK not in remains.body and TOO_DEEP not in remains.body
