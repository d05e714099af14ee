"""Why a report can't be asked for or built."""

from __future__ import annotations

from datetime import date

from tasks import Permanent


class DayOutOfRange(ValueError):
    """A report is asked for a day that is yet to come, or before there was a shop."""

    def __init__(self, day: date, first: date, last: date) -> None:
        super().__init__(day, first, last)
        self.day, self.first, self.last = day, first, last

    def __str__(self) -> str:
        return f"there are reports from {self.first} to {self.last}, not of {self.day}"


class BuildReplaced(Permanent):
    """Another delivery has begun to build the same report; this one stops."""

    def __init__(self, report_id: int) -> None:
        super().__init__(report_id)
        self.report_id = report_id

    def __str__(self) -> str:
        return f"report {self.report_id} is being built by a later job"


class MixedCurrencies(Permanent):
    """A day's sales are in more than one currency, so they have no total."""

    def __init__(self, currencies: tuple[str, ...]) -> None:
        super().__init__(currencies)
        self.currencies = currencies

    def __str__(self) -> str:
        return f"the day has sales in {' and '.join(self.currencies)}: a report adds up one currency"
