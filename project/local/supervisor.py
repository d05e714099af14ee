"""Keeps the Procfile's processes running: one that dies is started again, one that keeps dying ends everything."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from project.local.child import Child
from project.local.errors import ServiceFailed
from project.local.waiting import wait_until

DEATHS_MAX: Final = 5
DEATHS_WINDOW: Final = timedelta(seconds=60)
FIRST_PAUSE: Final = timedelta(milliseconds=500)


class Supervisor:
    """The processes of one stack. `tend` is to be called again and again; it never waits."""

    def __init__(self, children: Iterable[Child], *, say: Callable[[str], None]) -> None:
        self.children = {child.name: child for child in children}
        self._say = say
        self._deaths: dict[str, deque[float]] = {}
        self._start_at: dict[str, float] = {}

    def start(self, names: Iterable[str]) -> None:
        """Start the processes *names* and look after them from now on."""
        for name in names:
            self._deaths[name] = deque(maxlen=DEATHS_MAX)
            self.children[name].start()

    def tend(self) -> None:
        """Start again what died, after a pause that doubles. Raises ServiceFailed for one that keeps dying."""
        now = time.monotonic()
        for name, deaths in self._deaths.items():
            child = self.children[name]
            if child.alive:
                continue
            if name not in self._start_at:
                self._start_at[name] = now + self._pause_after_death(child, deaths, now)
            elif now >= self._start_at[name]:
                del self._start_at[name]
                child.start()

    def stop(self, *, grace: timedelta, hurried: Callable[[], bool] = lambda: False) -> None:
        """Ask all to finish and end, wait for *grace* or until *hurried*, then kill what is left."""
        watched = [self.children[name] for name in self._deaths]
        self._deaths, self._start_at = {}, {}
        for child in watched:
            child.ask_to_stop()
        wait_until(lambda: hurried() or not any(child.alive for child in watched), within=grace)
        for child in watched:
            if child.alive:
                self._say(f"{child.name} did not end in time: killed")
            child.bury()

    def _pause_after_death(self, child: Child, deaths: deque[float], now: float) -> float:
        """Note the death and return the seconds to wait before the next start."""
        child.bury()  # what it leaves of its group would work beside its successor
        deaths.append(now)
        recent = sum(1 for at in deaths if now - at < DEATHS_WINDOW.total_seconds())
        if recent >= DEATHS_MAX:
            raise ServiceFailed(
                child.name,
                f"died {recent} times within a minute (the last time with {_ending(child.exit_code)})",
                child.log_tail(),
                f"correct the cause, which {child.log} tells, and start again",
            )
        pause: float = FIRST_PAUSE.total_seconds() * 2 ** (recent - 1)
        self._say(f"{child.name} died with {_ending(child.exit_code)}; it starts again in {pause:g} s")
        return pause


def _ending(exit_code: int | None) -> str:
    return f"signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"code {exit_code}"
