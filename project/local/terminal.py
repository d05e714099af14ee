"""What `./run up` says, and the signals that it hears."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Final

STOPPING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody asked us to stop. No Exception, like KeyboardInterrupt: nothing may take it for an error."""


class StopSignals:
    """The first SIGINT, SIGTERM or SIGHUP raises Stopped in the main thread; a later one means: hurry."""

    def __init__(self) -> None:
        self.count = 0
        for number in STOPPING_SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # started with nohup, to go on without a terminal
            signal.signal(number, self._received)

    def hurried(self) -> bool:
        """Whether it was asked for more than once."""
        return self.count > 1

    def _received(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if number == signal.SIGHUP:
            silence()  # the terminal is gone
        if self.count == 1:
            raise Stopped


def say(line: str) -> None:
    """Print a line. If nobody can read it any more, go on in silence: there is something to be stopped in order."""
    try:
        print(line, flush=True)
    except OSError:
        silence()


def say_note(line: str) -> None:
    """Print something worth knowing on the way."""
    say(f"· {line}")


def say_stage(what: str, seconds: float) -> None:
    """Print that a stage is done."""
    say_note(f"{what:<62} {seconds:6.1f} s")


def silence() -> None:
    """Write to nowhere from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)
