"""The signals that `./run up` hears."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from project.local.terminal import STOPPING_SIGNALS, Stopped, StopSignals


@pytest.fixture(autouse=True)
def handlers_restored() -> Iterator[None]:
    """pytest has its own."""
    before = {number: signal.getsignal(number) for number in STOPPING_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_and_the_second_hurries(number: signal.Signals) -> None:
    """An exception in the middle of stopping would leave half of it running."""
    signals = StopSignals()
    with pytest.raises(Stopped):
        os.kill(os.getpid(), number)
    assert not signals.hurried()
    os.kill(os.getpid(), number)
    assert signals.hurried()


def test_under_nohup_a_closed_terminal_does_not_stop_it() -> None:
    """Whoever starts it so wants just that."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = StopSignals()
    os.kill(os.getpid(), signal.SIGHUP)
    assert signals.count == 0
