"""Which orders the demo places, and how each must end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CARD: Final = "pm_card_visa"
DECLINED_CARD: Final = "pm_card_visa_chargeDeclined"

FULFILLED_STEPS: Final = ("reserve", "charge", "ship", "confirm")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    """What is ordered, and how it must end.

    steps: the steps in order; one that must fail is written with an exclamation mark: "charge!".
    timeouts: how many calls to the payment provider are to be charged and then left without an answer.
    """

    number: int
    quantities: dict[str, int]
    payment_method: str = CARD
    timeouts: int = 0
    ends: str = "fulfilled"
    steps: tuple[str, ...] = FULFILLED_STEPS


def order_plan(count: int) -> list[PlannedOrder]:
    """*count* orders, numbered from 1: one whose payment times out twice, one out of stock, every sixth declined."""
    return [_planned(number) for number in range(1, count + 1)]


def _planned(number: int) -> PlannedOrder:
    basket = {"ROOT-001": 1 + number % 4, "TOOL-002": 1 + number % 2}
    if number == 2:
        return PlannedOrder(
            number=number,
            quantities=basket,
            timeouts=2,
            steps=("reserve", "charge!", "charge!", "charge", "ship", "confirm"),
        )
    if number == 3:
        return PlannedOrder(
            number=number,
            quantities=basket | {"RARE-001": 50},
            ends="cancelled",
            steps=("reserve!", "release"),
        )
    if number % 6 == 4:
        return PlannedOrder(
            number=number,
            quantities=basket,
            payment_method=DECLINED_CARD,
            ends="cancelled",
            steps=("reserve", "charge!", "release"),
        )
    return PlannedOrder(number=number, quantities=basket)
