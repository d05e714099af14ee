"""The test cards that the sandbox knows, and the amounts that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Decline:
    """What the bank says instead of paying."""

    code: str
    message: str


GENERIC: Final = Decline("generic_decline", "Your card was declined.")
NO_FUNDS: Final = Decline("insufficient_funds", "Your card has insufficient funds.")

# Stripe's names for its test cards; it has documented the last one under both names.
CARDS: Final[dict[str, Decline | None]] = {
    "pm_card_visa": None,
    "pm_card_visa_chargeDeclined": GENERIC,
    "pm_card_visa_chargeDeclinedInsufficientFunds": NO_FUNDS,
    "pm_card_chargeDeclinedInsufficientFunds": NO_FUNDS,
}

# The least that may be charged, in cents of each currency taken.
LEAST_CENTS: Final = {"chf": 50, "eur": 50, "gbp": 30, "usd": 50}
MOST_CENTS: Final = 99_999_999
