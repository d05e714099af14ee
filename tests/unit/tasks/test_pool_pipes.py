"""A pool's processes are heard in whatever pieces their words arrive, each word once and in order."""

from __future__ import annotations

import itertools
import os
import pickle
import select
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from celery.concurrency.asynpool import AsynPool
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu.asynchronous import Hub

from tasks.delivery.pool_pipes import AT_ONCE, FAIR, PoolPipes
from tasks.delivery.transport import LeasePoller
from tasks.delivery.worker import Leases

SHORT, LONG = 40, 3 * AT_ONCE


class Handler:
    """As much of Celery's reader of results as is used."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.handle_event: Any = None

    def on_state_change(self, message: Any) -> None:
        self.taken.append(message)
        if message == "end the worker":
            raise SystemExit


class Pool:
    """As much of Celery's pool as is used: one process, whose pipes are real ones."""

    sched_strategy = FAIR

    def __init__(self) -> None:
        self._result_handler = Handler()
        self.from_it, self.its_end = os.pipe()
        os.set_blocking(self.from_it, False)
        self._fileno_to_outq: dict[int, Any] = {self.from_it: "process"}
        self._fileno_to_inq: dict[int, Any] = {}
        self._all_inqueues: set[int] = set()
        self._busy_workers: set[int] = set()
        self._active_writes: set[int] = set()
        self.outbound_buffer: deque[Any] = deque()
        self.write_stats: Counter[int] = Counter()

    def _quick_put(self, job: Any) -> None:
        self.outbound_buffer.append(job)

    def on_poll_start(self) -> None:
        """What is taken off the event loop."""


class PromptHub(Hub):
    """An event loop that waits for nothing: what is there is there."""

    def __init__(self) -> None:
        super().__init__()
        self.call_later(3600, lambda: None)

    def fire_timers(self, *_: Any, **__: Any) -> float:
        return 0.0


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = PromptHub()
    yield hub
    hub.close()


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    for end in (pool.from_it, pool.its_end):
        os.close(end)


def said(message: Any) -> bytes:
    body = pickle.dumps(message)
    return len(body).to_bytes(4, "big") + body


def say(pool: Pool, hub: Hub, *pieces: bytes) -> list[Any]:
    """The process says this, in pieces between which the event loop turns; what was taken."""
    for piece in pieces:
        for at in range(0, len(piece), AT_ONCE):  # the pipe holds several of those
            os.write(pool.its_end, piece[at : at + AT_ONCE])
            hub.run_once()
    while select.select([pool.from_it], [], [], 0)[0] and pool.from_it in hub.readers:
        hub.run_once()
    return pool._result_handler.taken


def join(pool: Any, hub: Any) -> PoolPipes:
    pipes = PoolPipes(pool)
    pipes.join(hub, lambda: None)
    return pipes


class Desk:
    """A pool with two idle processes, and what happens when a turn ends; its own writer is Celery's, which notes."""

    def __init__(self, pool: Pool, hub: Any) -> None:
        self.pool, self.happened = pool, list[Any]()
        self.pipes = [os.pipe() for _ in range(2)]
        for reader, writer in self.pipes:
            os.set_blocking(reader, False)
            os.set_blocking(writer, False)
            pool._fileno_to_inq[writer] = SimpleNamespace(index=writer)
            pool._all_inqueues.add(writer)
        hub.consolidate_callback = lambda ready: self.happened.append(("left to the pool", *ready))
        self.turned = cast("Callable[[], None]", PoolPipes(pool).join(hub, lambda: self.happened.append("told")))

    def put(self, body: bytes) -> Any:
        job = SimpleNamespace(_payload=(memoryview(b"size"), memoryview(body), len(body)), _accepted=False)
        self.pool._quick_put(job)
        return job

    def written(self) -> list[bytes]:
        found = []
        for reader, _ in self.pipes:
            with suppress(BlockingIOError):
                found.append(os.read(reader, 2**20))
        return found


@pytest.fixture
def desk(pool: Pool, hub: Hub) -> Iterator[Desk]:
    desk = Desk(pool, hub)
    yield desk
    for end in itertools.chain(*desk.pipes):
        os.close(end)


def test_each_idle_process_gets_a_job_when_the_turn_ends_and_the_server_hears_of_it_before(desk: Desk) -> None:
    """And no busy one: a third job waits."""
    jobs = [desk.put(body) for body in (b" one", b" two", b" three")]
    desk.turned()
    assert sorted(desk.written()) == [b"size one", b"size two"]
    assert desk.happened == ["told"]
    assert {job._write_to.index for job in jobs[:2]} == desk.pool._busy_workers == desk.pool._all_inqueues
    assert list(desk.pool.outbound_buffer) == jobs[2:]
    desk.turned()
    assert desk.happened == ["told"]


def test_nobody_is_told_of_anything_while_nothing_waits(desk: Desk) -> None:
    """It would be a word to the server with each turn."""
    desk.turned()
    assert desk.happened == []


@pytest.mark.parametrize("case", ["long", "full", "accepted", "no process", "broken"])
def test_what_is_out_of_the_ordinary_is_left_to_the_pool(desk: Desk, case: str) -> None:
    """A job that may be written in part, for one, needs somebody who goes on with it."""
    job = desk.put(b"x" * (select.PIPE_BUF if case == "long" else 10))
    for reader, writer in desk.pipes:
        if case == "full":
            with suppress(BlockingIOError):
                while True:
                    os.write(writer, bytes(select.PIPE_BUF))
        if case == "broken":
            os.close(reader)
            os.dup2(os.open(os.devnull, os.O_RDONLY), reader)
    job._accepted = case == "accepted"
    if case == "no process":
        desk.pool._fileno_to_inq.clear()
    desk.turned()
    assert desk.happened == ["told", *(("left to the pool", writer) for writer in desk.pool._all_inqueues)]
    assert list(desk.pool.outbound_buffer) == [job]
    assert not desk.pool._busy_workers


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.sampled_from([0, 1, SHORT, AT_ONCE - 20, AT_ONCE, LONG]), max_size=5),
    cuts=st.lists(st.floats(0, 1), max_size=5),
    again=st.booleans(),
)
def test_each_word_is_taken_once_and_in_order(sizes: list[int], cuts: list[float], again: bool) -> None:
    """Also if the worker connects anew between any two pieces, when everything is registered once more."""
    pool, hub = Pool(), PromptHub()
    pipes = join(pool, hub)
    messages = [f"{number}{'x' * size}" for number, size in enumerate(sizes)]
    whole = b"".join(map(said, messages))
    places = [0, *sorted(int(cut * len(whole)) for cut in cuts), len(whole)]
    for start, end in itertools.pairwise(places):
        say(pool, hub, whole[start:end])
        if again:
            pipes.join(hub, lambda: None)
    assert say(pool, hub, b"") == messages
    assert not pipes._begun
    hub.close()
    os.close(pool.from_it)
    os.close(pool.its_end)


def test_a_long_word_that_is_there_is_taken_in_one_turn(pool: Pool, hub: Hub) -> None:
    """If its process died before the next one, the pool would look in the pipe for the beginning of a word."""
    join(pool, hub)
    os.write(pool.its_end, said("short") + said("x" * LONG))
    hub.run_once()
    assert [len(word) for word in pool._result_handler.taken] == [len("short"), LONG]


def test_what_ends_the_worker_takes_no_other_word_with_it(pool: Pool, hub: Hub) -> None:
    """They were read with it, and nobody would say them again: done jobs would be done once more."""
    join(pool, hub)
    with pytest.raises(SystemExit):
        say(pool, hub, said("done") + said("end the worker") + said("done, too") + said("also done"))
    assert pool._result_handler.taken == ["done", "end the worker", "done, too", "also done"]


def test_what_can_not_be_read_takes_no_other_word_with_it(pool: Pool, hub: Hub) -> None:
    """An error of a class that only the process knows, for one."""
    join(pool, hub)
    with pytest.raises(pickle.UnpicklingError):
        say(pool, hub, said("done") + (3).to_bytes(4, "big") + b"???" + said("done, too"))
    assert pool._result_handler.taken == ["done", "done, too"]


def test_a_new_process_does_not_go_on_with_its_predecessors_word(pool: Pool, hub: Hub) -> None:
    """It may get the same pipe."""
    pipes = join(pool, hub)
    say(pool, hub, said("never said to its end")[:10])
    pool._fileno_to_outq[pool.from_it] = "its successor"
    pipes.join(hub, lambda: None)
    assert say(pool, hub, said("hello")) == ["hello"]


def test_nobody_reads_where_a_dead_process_was(pool: Pool, hub: Hub) -> None:
    """The pool may keep it among its processes, and another file have the number of its pipe."""
    pool._fileno_to_outq[pool.from_it] = SimpleNamespace(dead=True)
    join(pool, hub)
    assert pool.from_it not in hub.readers
    hub.add_reader(pool.from_it, pool._result_handler.handle_event, pool.from_it)  # as the pool itself may do
    os.write(pool.its_end, said("somebody else's"))
    hub.run_once()
    assert pool.from_it not in hub.readers
    assert os.read(pool.from_it, 100) == said("somebody else's")


def test_a_process_that_is_gone_is_not_listened_to(pool: Pool, hub: Hub) -> None:
    """A pipe that was closed is always readable."""
    join(pool, hub)
    pool._fileno_to_outq.clear()
    assert say(pool, hub, said("nobody's")) == []
    assert pool.from_it not in hub.readers


class Consumer:
    """As much of Celery's as the bootstep asks for, with a pool of no processes."""

    on_decode_error = None

    def __init__(self) -> None:
        self.on_task_request = lambda request: None
        self.controller = SimpleNamespace(_process_task_sem=self.on_task_request, _process_task=lambda request: None)
        self.app = SimpleNamespace(tasks={})
        pool: Any = AsynPool.__new__(AsynPool)
        vars(pool).update(vars(Pool()), sched_strategy=FAIR, on_poll_start=lambda: None, _quick_put=lambda job: None)
        self.pool = SimpleNamespace(_pool=pool)
        self.connection: Any = None

    def connect(self) -> LeasePoller:
        """Anew; whose turn it is to speak for it."""
        cycle = LeasePoller()
        channel = SimpleNamespace(starts=SimpleNamespace(tell=lambda: None), connection=SimpleNamespace(cycle=cycle))
        self.connection = SimpleNamespace(default_channel=channel)
        return cycle


def test_a_connection_that_is_gone_hands_out_no_jobs(hub: Any) -> None:
    """The event loop still calls it with each turn, and it would tell its own server of what starts: nobody."""
    consumer = Consumer()
    leases = Leases(consumer)
    hub.consolidate_callback = lambda ready: None
    cycles = []
    for _ in range(2):
        cycles.append(consumer.connect())
        leases.register_with_event_loop(consumer, hub)
    assert [cycle.turned is not None for cycle in cycles] == [False, True]
    for pipe in (consumer.pool._pool.from_it, consumer.pool._pool.its_end):
        os.close(pipe)
