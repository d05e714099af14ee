"""What becomes of jobs on their way to a process while a worker connects anew."""

from __future__ import annotations

from collections import deque

import pytest

from tasks.delivery.reconnecting import flush_gently


class Job:
    """One that has been given to *process*, and not been confirmed."""

    _accepted = False
    _worker_pid: int | None = None

    def __init__(self, number: int, process: object) -> None:
        self._job, self._write_to, self._scheduled_for = number, process, process


class Pool:
    """As much of Celery's as is used. While it is flushed it finds one process dead, and hears what that had said."""

    def __init__(self, hears: str) -> None:
        self.hears, self.dead, self.alive = hears, object(), object()
        self._pool = [self.dead, self.alive]
        self._cache: dict[int, Job] = {}
        self.outbound_buffer: deque[Job] = deque()

    def job(self, process: object) -> Job:
        number = len(self._cache)
        job = self._cache[number] = Job(number, process)
        return job

    def flush(self) -> None:
        self._pool.remove(self.dead)
        for job in list(self._cache.values()):
            if job._write_to is not self.dead:
                continue
            if self.hears == "confirmed":
                job._accepted, job._worker_pid = True, 7
            elif self.hears == "done":
                del self._cache[job._job]
            elif not job._accepted:
                self._put_back(job)
        self.outbound_buffer.clear()

    def _put_back(self, job: Job) -> None:
        if job not in self.outbound_buffer:
            self.outbound_buffer.appendleft(job)


@pytest.mark.parametrize(("hears", "once_more"), [("nothing", True), ("confirmed", False), ("done", False)])
def test_a_job_whose_process_died_unheard_waits_for_another(hears: str, once_more: bool) -> None:
    """Else it would be in no pipe and wait for none, under a lease that is renewed, for ever."""
    pool = Pool(hears)
    lost, going_on, waiting = pool.job(pool.dead), pool.job(pool.alive), pool.job(None)
    pool.outbound_buffer.append(waiting)
    flush_gently(pool)
    assert list(pool.outbound_buffer) == [*([lost] if once_more else []), waiting]
    assert lost._accepted is (hears == "confirmed")
    assert not going_on._accepted
