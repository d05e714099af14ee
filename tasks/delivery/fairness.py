"""In which order a worker's queues are drunk from: the names of kombu's `queue_order_strategy`, and weights.

`priority`: strictly in the order in which the queues are named. `sorted`: the same by name. `round_robin`: each queue
once before any a second time. With `queue_weights={"high": 3, "default": 1}` so many of each before it is the next
one's turn.
All of one priority come before any of the next one, whichever queue they are in, as with kombu.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

ALL: Final = 1_000_000
STRATEGIES: Final = ("round_robin", "priority", "sorted")


@dataclass
class Turns:
    """Whose turn it is. strategy: one of STRATEGIES. weights: how many in a row, by queue; 1 where it isn't named."""

    strategy: str = "round_robin"
    weights: Mapping[str, int] = field(default_factory=dict)
    queues: tuple[str, ...] = ()
    start: int = 0
    _left: int = 0

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(f"queue_order_strategy is {self.strategy!r}: expected one of {', '.join(STRATEGIES)}")
        for queue, weight in self.weights.items():
            if weight < 1:
                raise ValueError(f"queue_weights[{queue!r}] is {weight}: expected 1 or more")

    def update(self, queues: Sequence[str]) -> None:
        """The queues that are consumed from now on."""
        self.queues = tuple(sorted(queues) if self.strategy == "sorted" else queues)
        self.start = self._left = 0

    def quanta(self) -> tuple[int, ...]:
        """How many of each queue in a row."""
        if self.strategy != "round_robin" and not self.weights:
            return (ALL,) * len(self.queues)
        return tuple(self.weights.get(queue, 1) for queue in self.queues)

    def served(self, place: int) -> None:
        """A message came from the queue at *place*: move on when it has had its share."""
        if self.strategy != "round_robin" and not self.weights:
            return
        if place != self.start:
            self.start, self._left = place, 0
        self._left += 1
        if self._left >= self.weights.get(self.queues[place], 1):
            self.start, self._left = (place + 1) % len(self.queues), 0
