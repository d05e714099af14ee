"""How a worker's event loop speaks with its pool's processes: the words are Celery's, in fewer system calls.

Celery registers the pipes to idle processes with the poller before each wait, and takes them off again; writes a job in
two pieces; reads each of the two messages that a job's process says in two pieces; and puts that pipe back where it is
already. With prefork that is a fifth of what a short job costs. Here

- what waits for a process is written as soon as one is idle, in each turn of the event loop before it waits: there is
  room in an idle process's pipe, and if there should be none the pool's own writer waits for it;
- a short job is written in one piece, so that its process is woken once. The kernel writes what is no longer than
  PIPE_BUF whole or not at all;
- all that a process has said is read at once. What has arrived in part is read to its end as Celery does it: by a
  generator in the pipe's place, which a worker that shuts down knows how to finish.

Between two turns each pipe is therefore at the beginning of a message, or has such a generator, as with Celery; here it
gets it back when the worker has connected anew. Everything else (which process gets what, what is half written, who has
died) stays the pool's.
"""

from __future__ import annotations

import os
import pickle
import select
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any, Final

from celery.concurrency import asynpool

AT_ONCE: Final = 8192
"""Bytes that are read at once: two messages of a job are some 200, unless it fails at length."""
FAIR: Final = asynpool.SCHED_STRATEGY_FAIR  # type: ignore[attr-defined] # its stubs leave it out
_SIZE: Final = 4
"""A message is its size, big-endian, and so many bytes of pickle."""

Rest = Generator[None, None, None]


class PoolPipes:
    """Those of *pool*, an AsynPool that is registered with an event loop."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._take = pool._result_handler.on_state_change
        self._hub: Any = None
        self._begun: dict[int, tuple[Any, Rest]] = {}
        """Pipe → the process at its other end, and who reads the rest of what it has begun to say."""

    def join(self, hub: Any, tell: Callable[[], None]) -> Callable[[], None] | None:
        """Take over from the pool, which has just registered with *hub*.

        Returns what is to be called in each turn of *hub*, before it waits. It calls *tell* and hands out what waits.
        None for a pool that gives jobs to busy processes, which fill the pipes: it goes on writing by itself.
        """
        self._read_at_once(hub)
        if self._pool.sched_strategy != FAIR:
            return None
        self._put_joined()
        return self._written_at_once(hub, tell)

    # -- to the processes

    def _written_at_once(self, hub: Any, tell: Callable[[], None]) -> Callable[[], None]:
        pool, write = self._pool, hub.consolidate_callback
        hub.on_tick.discard(pool.on_poll_start)
        waiting, pipes, busy, in_writing = (
            pool.outbound_buffer,
            pool._all_inqueues,
            pool._busy_workers,
            pool._active_writes,
        )

        def turned() -> None:
            if not waiting or len(busy) >= len(pipes):
                return
            idle = [pipe for pipe in pipes if pipe not in busy and pipe not in in_writing]
            if not idle:
                return
            tell()
            for pipe in idle:
                if waiting and not self._written_whole(pipe):
                    write([pipe])

        return turned

    def _put_joined(self) -> None:
        """Make a short job one piece when it is put."""
        put, waiting = self._pool._quick_put, self._pool.outbound_buffer

        def put_joined(job: Any) -> None:
            put(job)
            last = waiting[-1]
            size, body, length = last._payload
            if _SIZE + length <= select.PIPE_BUF:
                last._payload = memoryview(b"".join((size, body))), memoryview(b""), 0

        self._pool._quick_put = put_joined

    def _written_whole(self, pipe: int) -> bool:
        """Write the next job, if it is one piece. Whatever else may be the case is for the pool's own writer."""
        pool = self._pool
        job, process = pool.outbound_buffer[0], pool._fileno_to_inq.get(pipe)
        whole, _, more = job._payload
        if more or job._accepted or process is None:
            return False
        try:
            os.write(pipe, whole)
        except OSError:  # it is full after all, or broken
            return False
        pool.outbound_buffer.popleft()
        job._scheduled_for = job._write_to = process
        pool._busy_workers.add(pipe)
        pool.write_stats[process.index] += 1
        return True

    # -- from the processes

    def _read_at_once(self, hub: Any) -> None:
        self._hub = hub
        readable = self._readable
        self._pool._result_handler.handle_event = self._pool.handle_result_event = readable
        for pipe, process in self._pool._fileno_to_outq.items():
            if _is_gone(process):
                hub.remove_reader(pipe)
                continue
            known, rest = self._begun.get(pipe, (None, None))
            if rest is not None and known is process:
                hub.add_reader(pipe, rest)
            else:
                hub.add_reader(pipe, readable, pipe)

    def _readable(self, pipe: int) -> None:
        process = self._pool._fileno_to_outq.get(pipe)
        said = b"" if _is_gone(process) else _read(pipe, AT_ONCE)
        if said is None:
            return
        if not said:  # it is gone, or has closed its end
            self._hub.remove_reader(pipe)
            return
        messages, begun = _cut(said)
        rest = self._rest(pipe, begun) if begun else None
        if rest:
            self._begun[pipe] = process, rest
            self._hub.add_reader(pipe, rest)
        self._take_all(messages)
        if rest:  # most often it is there already
            self._advance(pipe, rest)

    def _rest(self, pipe: int, begun: bytearray) -> Rest:
        while missing := _missing(begun):
            more = _read(pipe, missing)
            if more is None:
                yield
            elif not more:
                raise OSError("the pipe ended within a message")
            else:
                begun += more
        self._begun.pop(pipe, None)
        self._hub.add_reader(pipe, self._readable, pipe)
        self._take_all([begun])

    def _advance(self, pipe: int, rest: Rest) -> None:
        try:
            with suppress(StopIteration):
                next(rest)
        except OSError:
            self._hub.remove_reader(pipe)

    def _take_all(self, messages: Sequence[bytes | bytearray]) -> None:
        """Also the rest, when one of them ends the worker: they have been read, and won't be said again."""
        for at, whole in enumerate(messages):
            try:
                message = pickle.loads(memoryview(whole)[_SIZE:])  # noqa: S301 -- our own process has written it
                if message:
                    self._take(message)
            except BaseException:
                self._take_all(messages[at + 1 :])
                raise


def _is_gone(process: Any) -> bool:
    """The pool keeps some that died among its processes. The number of such a pipe may be another file's by now."""
    return process is None or getattr(process, "dead", False)


def _read(pipe: int, most: int) -> bytes | None:
    """What is there; None if there is nothing yet, and nothing at all if there won't be any more."""
    try:
        return os.read(pipe, most)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""


def _cut(said: bytes) -> tuple[list[bytes], bytearray]:
    """The whole messages in *said*, and the beginning of the next one."""
    messages, at = [], 0
    while at + _SIZE <= len(said):
        end = at + _SIZE + int.from_bytes(said[at : at + _SIZE], "big")
        if end > len(said):
            break
        messages.append(said[at:end])
        at = end
    return messages, bytearray(said[at:])


def _missing(begun: bytearray) -> int:
    """How many bytes can be read without touching the next message; 0 when this one is whole."""
    if len(begun) < _SIZE:
        return _SIZE - len(begun)
    return _SIZE + int.from_bytes(begun[:_SIZE], "big") - len(begun)
