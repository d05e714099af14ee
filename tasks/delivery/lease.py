"""What one consuming channel holds, and what it has still to tell the server about it.

States of a message here, who moves it, and what a crash leaves:

    on its list ── claim ──▶ held ─┬─ ack ───────▶ gone
         ▲                         ├─ back ──────▶ on its list (front), counted as given back
         │                         ├─ died ──────▶ on its list (front), counted as died; too often: the intake
         │                         ├─ intake ────▶ the intake
         └── the lease runs out ───┴─ later ─────▶ in the schedule until it is due, then on its list

Each arrow is one script, so a message is always in exactly one of these places. If this process dies, what it held is
given back when its lease runs out: what it had started counts as died, what only waited as given back. What it has done
and not yet told the server (`acks`, `chores`) is done again elsewhere; the ledger keeps its effect single.

An owner is one incarnation of one channel. When a lease is lost, what was held under it is somebody else's: its
acknowledgements are dropped here, and the channel takes a new owner.
"""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import suppress
from datetime import timedelta
from hashlib import sha1
from threading import Lock
from typing import Final
from uuid import uuid4

AGAIN: Final = "again"
"""Detail of a note that a message waits which the server may have heard before."""


class Held:
    """One message in our hands.

    counts_key: under which the server keeps its counts; empty if it keeps none. waiting: the server knows that it has
    not started. died: its process is dead. refused: the reason, if no worker can run it. alone: it is run by itself.
    """

    __slots__ = ("alone", "counts_key", "died", "lease", "number", "refused", "started", "waiting")

    def __init__(self, lease: Lease, number: int, counts_key: str, *, waiting: bool, alone: bool = False) -> None:
        self.lease, self.number, self.counts_key = lease, number, counts_key
        self.waiting, self.started, self.died = waiting, False, False
        self.alone, self.refused = alone, ""


class Lease:
    """One owner's lease, and the messages under it.

    Acknowledging may happen in any thread. `acks` and `chores` are what the server has not been told yet; whoever
    takes some of them puts them back if he can't deliver them. Telling the server twice does no harm.
    """

    def __init__(self, length: timedelta) -> None:
        self.length = length
        self.owner = f"{os.uname().nodename}:{os.getpid()}:{uuid4().hex[:12]}"
        self.known = 0
        """The highest number of a claim that has reached us."""
        self.asked = False
        """A claim has been sent, so the server may know us."""
        self.begun = False
        """The server has answered, so it knows us."""
        self.lost = False
        self.retired = False
        """Its channel is closed: it claims no more, and ends when nothing is held under it any more."""
        self.good_until = time.monotonic() + length.total_seconds()
        self.held: dict[int, Held] = {}
        self.acks: deque[tuple[int, str]] = deque()
        self.chores: deque[tuple[str, int, str]] = deque()
        self.forgotten: deque[int] = deque()
        """Numbers of messages that nobody in this process refers to any more, so nobody can acknowledge them."""
        self._taking = Lock()

    @property
    def usable(self) -> bool:
        """Whether what is held is certainly still ours, by our own clock, which goes on while we are frozen."""
        return not self.lost and time.monotonic() < self.good_until

    @property
    def over(self) -> bool:
        """Whether it is of no use any more: its channel is closed, and all that was held is settled."""
        return self.retired and not (self.held or self.acks or self.chores)

    def retire(self) -> None:
        """Its channel is closed. What was on its way to us goes back; what is running goes on."""
        self.retired = True
        if self.asked and not self.lost:
            self.chores.append(("beyond", self.known, "-"))

    def take_up(self, number: int, raw: bytes, *, counted: bool, waiting: bool, alone: bool = False) -> Held:
        """A claimed message has reached us."""
        self.known = max(self.known, number)
        key = sha1(raw, usedforsecurity=False).hexdigest() if counted else ""
        held = self.held[number] = Held(self, number, key, waiting=waiting, alone=alone)
        return held

    def ack(self, held: Held) -> None:
        """It is done. Of a lease that is lost nothing is told: it would be refused."""
        if self.held.pop(held.number, None) is None or self.lost:
            return
        if held.waiting:  # expired or revoked before it started: the server's note that it waits is to go, too
            self.chores.append(("ack", held.number, held.counts_key or "-"))
        else:
            self.acks.append((held.number, held.counts_key))

    def let_go(self, held: Held, what: str, detail: str = "-") -> None:
        """Give it up in the way that *what* says (see settle.lua)."""
        if self.held.pop(held.number, None) is not None and not self.lost:
            self.chores.append((what, held.number, detail))

    def unsaid(self, what: str, number: int) -> bool:
        """Take back what has not been told yet. Returns whether the server can't have heard it."""
        with self._taking:
            if not self.chores:  # nearly always
                return False
            for detail in ("-", AGAIN):
                with suppress(ValueError):
                    self.chores.remove((what, number, detail))
                    return detail != AGAIN
        return False

    def forget(self, held: Held) -> None:
        """Called by a destructor, in any thread and at any moment: no locks here."""
        if held.number in self.held:
            self.forgotten.append(held.number)

    def take_acks(self, most: int = 500) -> list[tuple[int, str]]:
        """Some acknowledgements to tell the server; they are the caller's to put back if he fails."""
        with self._taking:
            return [self.acks.popleft() for _ in range(min(most, len(self.acks)))]

    def take_uncounted_acks(self, most: int = 500) -> list[tuple[int, str]]:
        """The same, up to the first of a message that the server keeps counts of."""
        taken: list[tuple[int, str]] = []
        with self._taking:
            while self.acks and not self.acks[0][1] and len(taken) < most:
                taken.append(self.acks.popleft())
        return taken

    def take_chores(self, most: int = 200) -> list[tuple[str, int, str]]:
        """The same for everything else. What is given back has the highest number first, so that order is kept."""
        with self._taking:
            while self.forgotten:
                held = self.held.get(self.forgotten.popleft())
                if held is not None:
                    self.let_go(held, "back")
            taken = [self.chores.popleft() for _ in range(min(most, len(self.chores)))]
        return sorted(taken, key=lambda chore: (chore[0] != "beyond", -chore[1]))

    def put_back(self, acks: list[tuple[int, str]], chores: list[tuple[str, int, str]]) -> None:
        """What could not be told, or perhaps was: only the answer may have been lost."""
        with self._taking:
            if not self.lost:
                self.acks.extendleft(reversed(acks))
                self.chores.extendleft(self._once_more(chore) for chore in reversed(chores))

    def told(self, chores: list[tuple[str, int, str]]) -> bool:
        """The keeper has told these. Returns whether something is to be told again.

        What has started meanwhile was told on another connection, and the server may have heard it first.
        """
        again = [number for what, number, _ in chores if what == "waiting" and self._has_started(number)]
        self.chores.extend(("started", number, "-") for number in again)
        return bool(again)

    def _once_more(self, chore: tuple[str, int, str]) -> tuple[str, int, str]:
        what, number, _ = chore
        if what != "waiting":
            return chore
        return ("started", number, "-") if self._has_started(number) else (what, number, AGAIN)

    def _has_started(self, number: int) -> bool:
        held = self.held.get(number)
        return held is not None and held.started

    def renewed(self, asked_at: float) -> None:
        """The server has said that it is ours; *asked_at*: monotonic time at which it was asked."""
        self.begun = True
        self.good_until = max(self.good_until, asked_at + self.length.total_seconds())

    def lose(self) -> int:
        """It is somebody else's. Returns how many messages were held."""
        self.lost = True
        with self._taking:
            dropped = len(self.held) + len(self.acks)
            self.held.clear()
            self.acks.clear()
            self.chores.clear()
        return dropped
