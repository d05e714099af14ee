"""What a test says about dead letters: that there is one, of what, and that there is no other.

    from tasks.testing import dead_letters

    letter, = dead_letters.expect(task="orders.charge_payment", reason="permanent", error="CardDeclined")
    dead_letters.expect(count=0)

Workers write them, so `expect` waits. Needs the database, as any test of jobs does (`transactional_db`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from .waiting import eventually

if TYPE_CHECKING:
    from ..failure.letter_models import DeadLetter

WITHIN: Final = timedelta(seconds=20)


def expect(
    *,
    count: int = 1,
    task: str = "",
    reason: str = "",
    error: str = "",
    queue: str = "",
    batch: str = "",
    state: str = "open",
    within: timedelta = WITHIN,
) -> list[DeadLetter]:
    """Wait until there are as many letters as *count* for which all of this is so; return them, the oldest first.

    error: the exception's type. state: "any" for whatever state. For count=0 nothing is waited for: let the jobs end
    first. Raises AssertionError, with the letters that there are, when there are more or, *within* that time, fewer.
    """
    from ..failure.letter_filters import LetterFilter

    which = LetterFilter(
        name=task, reason=reason, error_type=error, queue=queue, batch_id=batch, state="" if state == "any" else state
    )
    if count:
        eventually(lambda: which.letters().count() >= count, within=within, because=_what_there_is)
    found = list(which.letters().order_by("pk"))
    if len(found) != count:
        raise AssertionError(f"{len(found)} dead letters of that kind, not {count}. {_what_there_is()}")
    return found


def _what_there_is() -> str:
    from ..failure.letter_models import DeadLetter

    lines = [
        f"  {letter.name} {letter.task_id}: {letter.state}, {letter.reason}:"
        f" {letter.error_type}: {letter.error_message}"
        for letter in DeadLetter.objects.order_by("pk")[:20]
    ]
    return "\n".join(["the dead letters are:", *lines]) if lines else "there is no dead letter"
