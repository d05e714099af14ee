"""Errors that quote a card's number, each in another way, and the task that raises them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from celery.exceptions import Reject

from tasks import Permanent, RetryPolicy, Transient, task

CARD: Final = "4000-0566"


class ByAttribute(Permanent):
    """Says its attribute, not its args."""

    def __init__(self, card: str) -> None:
        super().__init__()
        self.card = card

    def __str__(self) -> str:
        return f"the bank refuses {self.card}"


class AwayByAttribute(Transient):
    """The same of one that passes."""

    def __init__(self, card: str) -> None:
        super().__init__()
        self.card = card

    def __str__(self) -> str:
        return f"the bank is away for {self.card}"

    def __repr__(self) -> str:
        return f"<{self}>"


class BySlot(Permanent):
    """Says what nobody else can change."""

    __slots__ = ("_card",)
    _card: str

    def __init__(self, card: str) -> None:
        super().__init__()
        object.__setattr__(self, "_card", card)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __str__(self) -> str:
        return f"the bank refuses {self._card}"


class ByNumber(Permanent):
    """Can't be said any more when its number has become a text."""

    def __init__(self, card: str) -> None:
        super().__init__()
        self.number = int(card.replace("-", ""))

    def __str__(self) -> str:
        return f"the bank refuses {self.number // 10_000}-0566"


class Card:
    """Shows its number."""

    def __init__(self, number: str) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"<Card {self.number}>"


def noted(card: str) -> Exception:
    error = Permanent("refused")
    error.add_note(f"the card was {card}")
    return error


def caused(card: str, *, is_said: bool) -> Exception:
    """Comes of an error that shows it, as its cause, or by happening meanwhile."""
    error, before = Permanent("refused"), BySlot(card)
    error.__context__ = before
    if is_said:
        error.__cause__ = before
    return error


WAYS: Final[dict[str, Callable[[str], Exception]]] = {
    "in its text": lambda card: Permanent(f"the bank refuses {card}"),
    "in an attribute": ByAttribute,
    "in a slot": BySlot,
    "in a number": ByNumber,
    "in a dict": lambda card: Permanent({"payment": [{"card": card}]}),
    "in an object": lambda card: Permanent(Card(card)),
    "as bytes": lambda card: Permanent(card.encode()),
    "as the system's": lambda card: FileNotFoundError(2, "no such file", f"/cards/{card}"),
    "in a note": noted,
    "in its cause": lambda card: caused(card, is_said=True),
    "in its context": lambda card: caused(card, is_said=False),
    "in a group": lambda card: ExceptionGroup("two went wrong", [Permanent("a"), BySlot(card)]),
    "in a group's text": lambda card: ExceptionGroup(f"two went wrong with {card}", [Permanent("a")]),
    "rejected": lambda card: Reject(f"not with {card}"),
}
AGAIN: Final[dict[str, Callable[[str], Exception]]] = {
    "in its text": lambda card: Transient(f"the bank is away for {card}"),
    "in an attribute": AwayByAttribute,
    "as the system's": lambda card: ConnectionError(111, f"refused for {card}"),
}

raised: dict[str, Callable[[str], Exception]] = {}


@task(
    "letters_test.leak",
    time_limit=timedelta(seconds=10),
    retry=RetryPolicy.after(timedelta(seconds=1)),
    retry_on=(ConnectionError,),
    secret=("card",),
)
def leak(card: str) -> Any:
    raise raised["now"](card)
