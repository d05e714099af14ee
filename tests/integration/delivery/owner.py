"""An owner of leases who asks the server for one step at a time: the scripts without a worker around them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from redis import Redis

from tasks.delivery.lease import Lease
from tasks.delivery.line import Claimed, Line, Order
from tasks.delivery.names import EXPIRED, HEARD, HELD, LATER, LATER_MESSAGES, OWNERS, WAITING
from tasks.delivery.scripts import ScriptClient

LEASE = timedelta(hours=1)  # the clock is the server's and can't be turned: a test makes a lease run out by its score
ONE_QUEUE = Order(("q",), (b"q",), (1,), 0)


class Owner:
    """What it says is put together by the transport itself; what it hears isn't kept but by `answer`."""

    def __init__(self, client: Redis, *, deaths_max: int = 3, most_bytes: int = 1000, prefix: str = "") -> None:
        self.client, self.lease, self.deaths_max, self.prefix = client, Lease(LEASE), deaths_max, prefix
        self.name = self.lease.owner
        self._scripts = ScriptClient(client)
        self._line = Line(prefix=prefix, deaths_max=deaths_max, most_bytes=most_bytes)

    def ask(
        self, room: int = 10, *, order: Order = ONE_QUEUE, waiting: bool = False, acks: Sequence[tuple[int, str]] = ()
    ) -> Any:
        """The server's answer to a claim, as if it were lost on its way."""
        keys, words = self._line.question(self.lease, order, room, list(acks), waiting=waiting)
        return self._scripts.run("claim", keys, words)

    def claim(self, room: int = 10, **options: Any) -> list[Claimed]:
        """What a claim brings. Raises LeaseGone."""
        order = options.get("order", ONE_QUEUE)
        claimed = self._line.claimed(self.lease, order, 0.0, self.ask(room, **options))
        self.lease.known = max([self.lease.known, *(one.number for one in claimed)])
        return claimed

    def settle(self, *chores: tuple[str, int] | tuple[str, int, str]) -> int:
        """Tell what becomes of messages; 1, or -1 if the lease is lost."""
        words: list[Any] = [self.prefix, self.name, self.deaths_max]
        for what, number, *detail in chores:
            words += [what, number, *(detail or "-")]
        keys = self._keys(OWNERS, HELD + self.name, WAITING + self.name)
        answer: int = self._scripts.run("settle", keys, words)
        return answer

    def renew(self, *, what: str = "renew", others: bool = False, budget: int = 200) -> list[Any]:
        """Renew, or "end". others: only look after those of others."""
        keys = self._keys(OWNERS, EXPIRED, LATER, LATER_MESSAGES, HEARD)
        names = [] if others else [self.name]
        words = [self.prefix, int(LEASE.total_seconds() * 1000), budget, self.deaths_max, what, *names]
        answer: list[Any] = self._scripts.run("renew", keys, words)
        return answer

    def expire(self) -> None:
        """Its lease is over by the server's clock, and others have renewed theirs just now."""
        seconds, _ = self.client.time()
        self.client.set(HEARD, int(seconds) * 1000)
        self.client.zadd(OWNERS, {self.name: 1})

    def held(self) -> set[int]:
        """Numbers of what it holds."""
        fields: Any = self.client.hkeys(HELD + self.name)
        return {int(field) for field in fields if field != b"n"}

    def _keys(self, *names: str) -> list[str]:
        return [self.prefix + name for name in names]
