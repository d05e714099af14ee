"""A drain under a hundred kills."""

from __future__ import annotations

from threading import Event

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario
from tests.chaos.worker import Worker

WORKERS = "a b c d"
AHEAD = 100  # so many jobs always wait, so that no kill meets an idle worker
BETWEEN = (5, 35)  # jobs done between two kills


@scenario(
    "hundred_kills",
    "100 SIGKILLs during a drain, of whole workers and of main processes alone, of four, drawn at random",
    allowed=("kept", "recovery_seconds"),
    because="a job that is cut may be claimed by a worker that is killed next; at the third death it is put aside",
)
def hundred_kills(arena: Arena) -> None:
    """The killed are started again at once."""
    storm(arena, kills=100)


def storm(arena: Arena, *, kills: int) -> None:
    """Kill until *kills* is reached, then let them drain what is left."""
    arena.start_workers(WORKERS)
    pause, killed, next_at = Event(), 0, arena.draw.randint(*BETWEEN)
    while killed < kills:
        if len(arena.missing) < AHEAD:
            arena.send(AHEAD, seconds=0.02)
        arena.tend()
        if len(arena.journal.done) >= next_at:
            _kill(arena, arena.draw.choice([worker for worker in arena.workers.values() if arena.is_ready(worker)]))
            killed, next_at = killed + 1, len(arena.journal.done) + arena.draw.randint(*BETWEEN)
        pause.wait(0.02)
    arena.settle(within=arena.lease * 8)


def _kill(arena: Arena, worker: Worker) -> None:
    if arena.draw.random() < 0.5:
        worker.kill_main()
    else:
        worker.kill_all()
