"""The thread that renews goes on, whatever happens beside it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from tasks.delivery.keeper import Keeper
from tasks.delivery.lease import Lease

LENGTH = timedelta(seconds=30)


def _keeper(answer: Any) -> Keeper:
    keeper = Keeper(SimpleNamespace(), SimpleNamespace(), prefix="", length=LENGTH, deaths_max=3)  # type: ignore[arg-type]
    keeper._own = keeper._others = SimpleNamespace(run=answer)  # type: ignore[assignment]
    keeper._started = True  # the test is its thread
    return keeper


class _Joined(Lease):
    """While it is looked at, another channel of this process begins to consume."""

    keeper: Keeper

    @property
    def begun(self) -> bool:
        """Whether it is to be renewed."""
        if hasattr(self, "keeper"):
            self.keeper.add(Lease(LENGTH))
        return True

    @begun.setter
    def begun(self, begun: bool) -> None:
        """It is anyway."""


def test_a_lease_that_joins_while_the_others_are_renewed_is_no_error() -> None:
    """Channels are opened by other threads, at any moment."""
    keeper = _keeper(lambda *_: [0, -1])
    joined = _Joined(LENGTH)
    keeper.add(joined)
    joined.keeper = keeper
    assert keeper._renew() > 0
    del joined.keeper
    assert len(keeper._leases) == 2


def test_an_error_that_nobody_has_foreseen_does_not_end_the_thread() -> None:
    """Nobody would renew any more, and all that is held would be handed out again, and run twice."""
    turns: list[str] = []

    def answer(*_: Any) -> Any:
        turns.append("")
        if len(turns) > 1:
            raise SystemExit  # the end of the test
        raise RuntimeError("unforeseen")

    keeper = _keeper(answer)
    keeper.length = timedelta(seconds=0.1)
    keeper.add(Lease(LENGTH))
    with suppress(SystemExit):
        keeper.run()
    assert len(turns) == 2
