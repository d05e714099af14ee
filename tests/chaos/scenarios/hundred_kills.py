"""A drain under a hundred kills."""

from __future__ import annotations

from threading import Event

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario
from tests.chaos.worker import Worker

WORKERS = "a b c d"
AHEAD = 40  # so many jobs always wait, so that a kill never meets an idle worker


@scenario(
    "hundred_kills", "100 SIGKILLs during a drain: whole workers and main processes alone, of four, drawn at random"
)
def hundred_kills(arena: Arena) -> None:
    """Each is killed again as soon as it works again."""
    storm(arena, kills=100, workers=WORKERS)


def storm(arena: Arena, *, kills: int, workers: str) -> None:
    """Kill until *kills* is reached, then let them drain what is left."""
    arena.start_workers(workers)
    done, pause = 0, Event()
    while done < kills:
        waiting = len(arena.missing)
        if waiting < AHEAD:
            arena.send(AHEAD, seconds=0.05)
        arena.tend()
        ready = [worker for worker in arena.workers.values() if worker.child.alive and arena.is_ready(worker)]
        if ready:
            _kill(arena, arena.draw.choice(ready))
            done += 1
        pause.wait(arena.draw.uniform(0.05, 0.4))
    arena.settle(within=arena.lease * 8)


def _kill(arena: Arena, worker: Worker) -> None:
    if arena.draw.random() < 0.5:
        worker.kill_main()
    else:
        worker.kill_all()
