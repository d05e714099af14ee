"""Tasks whose bodies do what a test asks of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from celery import shared_task

from tasks import DeadLetterTask, Permanent, task

LIMIT: Final = timedelta(seconds=10)

# What `on_death` was called with, and what it is to do.
deaths: list[tuple[Any, dict[str, Any]]] = []
on_death: dict[str, Callable[[], None]] = {}


def mourn(letter: Any, arguments: dict[str, Any]) -> None:
    """An `on_death` hook."""
    deaths.append((letter, arguments))
    on_death.get("now", lambda: None)()


@task("letters_test.die", time_limit=LIMIT, secret=("card",), on_death=mourn)
def die(order: int, card: str = "", note: str = "") -> None:
    raise Permanent(f"order {order}: {card} was refused {note}")


@task("letters_test.live", time_limit=LIMIT, unique=None)
def live(order: int) -> int:
    return order


@task("letters_test.undo", time_limit=LIMIT)
def undo(order: int) -> None:
    """An error callback."""


@task("letters_test.at_most_once", time_limit=LIMIT, acks_late=False)
def at_most_once(order: int) -> None:
    """Acknowledged before it is begun."""


@shared_task(name="letters_test.alone", base=DeadLetterTask)
def alone(order: int) -> None:
    """Declared as Celery's own, with the base class alone."""
    raise LookupError(f"no order {order}")
