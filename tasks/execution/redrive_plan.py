"""What would be sent for a letter, and whether it may be: everything about a redrive that can be told beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from celery import uuid
from django.utils import timezone

from ..enqueue import rows
from ..enqueue.models import OutboxMessage
from ..enqueue.outbox import registered
from ..errors import RedriveRefused, UnknownTask
from ..failure.blackening import blackened
from ..failure.letter_models import DeadLetter
from ..failure.originals import is_whole, original_of
from ..failure.readable import readable, storable
from ..failure.remains import GENERATION, Remains
from .deaths import stand_in
from .membership import members_of
from .redrive_arguments import check_arguments, with_arguments
from .verdict import FIRST_BEGAN_AT

REDRIVABLE = (DeadLetter.State.OPEN, DeadLetter.State.DISCARDED)
_OF_ROW = ("correlation_id", "reply_to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A letter and the message to be sent for it.

    task: the registered one. request: what stands for it as it will run.
    members: what forgets that the job died: ids of batches and chords, each with that of the member.
    edited_body: what is kept of edited arguments; "" when they are the letter's own.
    """

    letter: DeadLetter
    remains: Remains
    generation: int
    task: Any
    request: Any
    members: list[tuple[str, str]]
    edited_body: str = ""

    @property
    def acts_first(self) -> bool:
        """Whether something that may refuse is to be put right before the message goes."""
        return bool(self.task.unique or self.task.on_redrive)

    @property
    def row(self) -> OutboxMessage:
        """The job's row, due now: an attempt like the first one, and every copy of what was sent before is void."""
        remains = self.remains
        return OutboxMessage(
            task_id=remains.task_id,
            name=remains.name,
            state=OutboxMessage.State.QUEUED,
            priority=remains.priority,
            retries=0,
            due_at=timezone.now(),
            exchange=remains.exchange,
            routing_key=remains.queue,
            # A message that came past the outbox may hold what no row of it does.
            headers=storable(remains.headers),
            properties={name: readable(str(remains.properties.get(name) or "")) for name in _OF_ROW},
            body=remains.body,
        )


def plan_of(
    letter: DeadLetter, generation: int, is_alive: bool, /, *, arguments: Mapping[str, Any] | None = None
) -> Plan:
    """Plan to redrive *letter*. Raises RedriveRefused, with the reason. is_alive: the job has not ended, or not yet."""
    if letter.state not in REDRIVABLE:
        raise RedriveRefused(letter.task_id, f"it is {letter.state}")
    if is_alive:
        raise RedriveRefused(letter.task_id, "its job is under way")
    remains = original_of(letter)
    try:
        task = registered(remains.name)
    except UnknownTask as error:
        raise RedriveRefused(letter.task_id, f"{error}; it would die again") from error
    if not getattr(task, "is_reliable", False):
        raise RedriveRefused(
            letter.task_id, f"{remains.name} is no task of the toolkit's, so nobody would know its end"
        )
    edited_body, original = "", remains
    if arguments is not None:
        remains = with_arguments(task, original, arguments)
        edited_body = blackened(remains).body if remains is not original else ""
    check_arguments(task, remains)
    if not is_whole(remains):
        raise RedriveRefused(
            letter.task_id, "what is secret in it was not kept: give those arguments, or enqueue the job anew"
        )
    sent = replace(remains, headers=_headers(remains, generation))
    request = stand_in(sent)
    members = members_of(request)
    return Plan(
        letter=letter,
        remains=sent,
        generation=generation,
        task=task,
        request=request,
        members=members,
        edited_body=edited_body,
    )


def _headers(remains: Remains, generation: int) -> dict[str, Any]:
    """A message that expired, or whose deadline is over, would die again at once: neither is asked of it any more."""
    headers = {name: value for name, value in remains.headers.items() if name != FIRST_BEGAN_AT}
    return {
        **headers,
        "id": remains.task_id,
        "task": remains.name,
        "retries": 0,
        "eta": None,
        "expires": None,
        GENERATION: generation,
        rows.EDITION: uuid(),
    }
