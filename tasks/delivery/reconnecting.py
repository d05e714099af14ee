"""What a Celery worker does with the work in its hands when its connection to the broker breaks.

Celery drops it: the broker hands it out again, and acknowledgements of an old connection are void. Under a lease
nothing is handed out again and an acknowledgement stays good, so everything goes on: what runs, what is on its way to
a process, and what waits for one. Only what waits for its time, or for its rate limit, is given back; it is claimed
anew.
"""

from __future__ import annotations

from typing import Any

from celery.worker import state as _state

state: Any = _state  # its types lag behind


def work_goes_on(consumer: Any) -> None:
    """Take the place of `Consumer.on_close` for a connection that is being made anew."""
    for request in tuple(state.scheduled_requests):
        if request._eta_timer_entry is not None:
            consumer.timer.cancel(request._eta_timer_entry)
        state.requests.pop(request.id, None)
        request.message.reject(requeue=True)
    state.scheduled_requests.clear()
    for bucket in consumer.task_buckets.values():
        if bucket:
            bucket.clear_pending()  # nobody refers to these messages then, and so they go back
    if consumer.pool.flush:
        consumer.pool.flush()


def flush_gently(pool: Any) -> None:
    """Finish writing to the pool's processes what is half written, and drop no job for it.

    The pool's own `flush`, which is needed because the event loop forgets its writers, also drops every job that its
    process has not confirmed, though the process may have it already and will run it. A job whose writing has not
    begun is dropped, and so given back. One whose process has died with it waits for another process again: the pool
    finds it while it is flushed, when the job seems to be confirmed, and doesn't look a second time.
    """
    unconfirmed = [job for job in pool._cache.values() if not job._accepted]
    buffered = list(pool.outbound_buffer)
    for job in unconfirmed:
        job._accepted = True
    try:
        pool.__class__.flush(pool)
    finally:
        for job in unconfirmed:
            job._accepted = job._worker_pid is not None  # its process may have confirmed it meanwhile
        pool.outbound_buffer.extend(buffered)
        for job in unconfirmed:
            process = job._write_to or job._scheduled_for
            lost = process is not None and process not in pool._pool
            if lost and not job._accepted and job._job in pool._cache:
                pool._put_back(job)
