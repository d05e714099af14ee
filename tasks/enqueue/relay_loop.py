"""When the relay looks: as soon as something is committed, when something is due, and every few seconds anyway."""

from __future__ import annotations

import logging
import os
import random
import select
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from celery import Celery
from django.db import DatabaseError, InterfaceError, connections
from kombu.exceptions import OperationalError

from ..conf import conf
from . import rows
from .relay import BATCH, BrokerAway, Relay

log = logging.getLogger(__name__)

FIRST_WAIT: Final = timedelta(milliseconds=500)
LONGEST_WAIT: Final = timedelta(seconds=15)


class RelayLoop:
    """Runs a relay until `stop`, which may be called from a signal handler: the batch in hand is finished.

    chores: what else there is to do when nothing is to be sent; each returns how much it has done.
    """

    def __init__(
        self,
        app: Celery,
        *,
        batch: int = BATCH,
        sweep: timedelta = timedelta(seconds=2),
        chores: Sequence[Callable[[], int]] = (),
    ) -> None:
        if sweep <= timedelta(0):
            raise ValueError(f"sweep must be above zero, not {sweep}")
        self.relay, self.sweep = Relay(app, batch=batch), sweep
        self._chores = chores
        self._stopping = False
        self._woken, self._wake = os.pipe()
        self._failures = 0

    def stop(self) -> None:
        """End after the batch in hand."""
        self._stopping = True
        os.write(self._wake, b".")

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def drain(self) -> int:
        """Send what is due now, until stopped; return how many. Raises BrokerAway."""
        sent, is_more = 0, True
        while is_more and not self._stopping:
            count, is_more = self._round()
            sent += count
        return sent

    def run(self) -> None:
        """Send until stopped. Waits longer each time while the broker or the database is away."""
        log.info("relay started")
        while not self._stopping:
            try:
                self._listen()
                _, is_more = self._round()
                if not is_more and not sum(self._did(chore) for chore in self._chores):
                    self._wait(self._idle_time())
                self._failures = 0
                self._beat()
            except BrokerAway as error:
                self._back_off(str(error))
            except (DatabaseError, InterfaceError) as error:
                connections[rows.alias()].close()
                self._back_off(f"{type(error).__name__} from the database")
        self.relay.disconnect()
        log.info("relay stopped")

    def _round(self) -> tuple[int, bool]:
        """Promote and send one batch: how many were sent, and whether there may be more to do at once."""
        promoted = self.relay.promote_due()
        done = self.relay.send_batch()
        return done.sent, bool(promoted or done.sent or done.refused)

    def _did(self, chore: Callable[[], int]) -> int:
        """Do the chore. It must not keep messages from being sent, whatever is wrong with it."""
        try:
            return chore()
        except (DatabaseError, InterfaceError):
            raise
        except (OSError, OperationalError) as error:
            log.warning("relay: the broker did not answer to a chore (%s)", type(error).__name__)
        except Exception:
            log.exception("relay: a chore failed")
        return 0

    def _beat(self) -> None:
        """Touch the heartbeat file, where one is set: the database and the broker answer, and the loop turns."""
        if name := conf().heartbeat_file:
            try:
                Path(name).touch()
            except OSError as error:  # whoever looks at its age will see; messages must go all the same
                log.warning("relay: the heartbeat can't be written: %s", error)

    def _idle_time(self) -> timedelta:
        due = self.relay.next_due()
        return self.sweep if due is None else min(due, self.sweep)

    def _listen(self) -> None:
        with rows.cursor() as cursor:  # costs nothing when this session listens already
            cursor.execute(f"LISTEN {rows.CHANNEL}")

    def _wait(self, longest: timedelta) -> None:
        """Sleep until a commit, a stop, or *longest* is over."""
        connection = connections[rows.alias()].connection
        if not connection.fileno() or self._stopping:
            return
        if list(connection.notifies(timeout=0)):  # came with the answer to another question, so nothing would wake us
            return
        ready, _, _ = select.select([connection.fileno(), self._woken], [], [], longest.total_seconds())
        if connection.fileno() in ready:
            for _ in connection.notifies(timeout=0):
                pass

    def _back_off(self, reason: str) -> None:
        self._failures += 1
        ceiling = min(LONGEST_WAIT.total_seconds(), FIRST_WAIT.total_seconds() * 2.0 ** min(self._failures, 10))
        wait = ceiling * (0.5 + random.random() / 2)  # noqa: S311 -- spreads relays, hides nothing
        log.warning("relay: %s; looking again in %.1f s", reason, wait)
        select.select([self._woken], [], [], wait)
