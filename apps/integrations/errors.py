"""Why the supplier's feed could not be read."""

from __future__ import annotations

from datetime import timedelta

from tasks import Permanent, Transient


class SupplierAway(Transient):
    """The supplier's API can't be reached, is too slow, or has an error of its own."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the supplier's API did not answer: {self.reason}"


class SupplierBusy(Permanent):
    """The supplier's API asks to be left alone for a while. A later run looks again; a quick retry must not."""

    def __init__(self, status: int, wait: timedelta) -> None:
        super().__init__(status, wait)
        self.status, self.wait = status, wait

    def __str__(self) -> str:
        return f"the supplier's API answered {self.status} and asks to wait {self.wait.total_seconds():.0f} s"


class SupplierRefused(Permanent):
    """The supplier's API won't have our request."""

    def __init__(self, status: int, url: str) -> None:
        super().__init__(status, url)
        self.status, self.url = status, url

    def __str__(self) -> str:
        return f"the supplier's API answered {self.status} to {self.url}: check SUPPLIER_API_URL"


class AddressUnusable(Permanent):
    """SUPPLIER_API_URL is not an address that can be asked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"SUPPLIER_API_URL is no http or https address: {self.reason}"


class FeedMalformed(Permanent):
    """What the supplier sent is not the feed that we know."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"the supplier's feed is not as agreed: {self.problem}"


class RunReplaced(Permanent):
    """This run was silent for so long that another took its place; what it read now must not be written."""

    def __init__(self, run_id: int) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"sync run {self.run_id} was replaced by a later one while it waited for the supplier"
