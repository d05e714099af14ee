"""What a Celery worker tells the transport: what has started, what has died, and that it is stopping.

Celery's own means are used: a consumer bootstep, which is added to a worker's app when its broker is one of ours, and
`Task.Request`, of which every task gets a subclass of its own request class.

Started means: handed to the pool process that will run it (prefork), or about to run in this process (the other
pools). That is told to the server before the body can do anything; the write is in the socket's buffer then, which
the kernel delivers even if this process is killed. Died means: the process that ran it is gone and didn't end it. What
a stopping worker cuts short is given back and hasn't died.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from billiard import einfo
from celery import bootsteps, signals
from celery.concurrency import solo
from celery.concurrency.asynpool import AsynPool
from celery.exceptions import InvalidTaskError, WorkerLostError
from celery.worker import state
from celery.worker.consumer import Consumer
from kombu.log import get_logger
from kombu.utils.imports import symbol_by_name

from .child_deaths import deaths_seen_at_once
from .event_batches import EventBatches
from .intake import UNDECODABLE
from .keeper import release_all
from .message import LeasedMessage
from .pool_pipes import PoolPipes
from .reconnecting import flush_gently, work_goes_on
from .strategy import CELERYS, leased, nobody_listens

logger = get_logger(__name__)


class LeasedRequest:
    """Mixed into a task's request class."""

    _message: Any
    _cut = False
    _eventer: Any
    id: str
    task: Any
    reject: Any

    def __init__(self, message: Any, **kwargs: Any) -> None:
        try:
            super().__init__(message, **kwargs)  # type: ignore[call-arg] # the other base is a request class
        except InvalidTaskError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # Celery would end the whole worker for it.
            if isinstance(message, LeasedMessage) and message.held is not None:
                message.held.refused = UNDECODABLE
            raise InvalidTaskError(f"its body is not what a task is called with: {error}") from error

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """It is about to run, or has just begun to in a child."""
        message = self._message
        leased = isinstance(message, LeasedMessage)
        if leased:
            message.starting()
        super().on_accepted(pid, time_accepted)  # type: ignore[misc]
        if leased and not self.task.acks_late:
            message.channel.hurry()

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 # Celery's name
        """Only if somebody listens: else Celery puts it together, and then drops it."""
        eventer = self._eventer
        if eventer and not nobody_listens(eventer):
            super().send_event(type, **fields)  # type: ignore[misc]

    def cancel(self, pool: Any, *args: Any, **kwargs: Any) -> None:
        """Stop it, where the pool can. With solo it is what a signal has interrupted to call this, and goes on."""
        if isinstance(pool, solo.TaskPool):
            return  # Celery's raises an error, in the middle of the job
        self._cut = pool.is_green and isinstance(self._message, LeasedMessage)
        super().cancel(pool, *args, **kwargs)  # type: ignore[misc]

    def acknowledge(self) -> None:
        """It is done. What was cut short under gevent isn't, though Celery believes that it went well: it goes back."""
        if self._cut:
            self.reject(requeue=True)
        else:
            super().acknowledge()  # type: ignore[misc]

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """It failed; perhaps because its process is gone, or had no memory left, which counts as the same."""
        error = exc_info.exception
        if isinstance(error, einfo.ExceptionWithTraceback):  # type: ignore[attr-defined] # not in its types
            error = error.exc
        lost = isinstance(error, (WorkerLostError, SystemExit, KeyboardInterrupt, MemoryError))
        held = getattr(self._message, "held", None)
        if lost and held is not None and not _stopping():
            held.died = True
        if isinstance(error, MemoryError):  # Celery would end the whole worker for it, and the next, and so on
            exc_info = self._worker_lost_info(error)  # type: ignore[attr-defined]
        return super().on_failure(exc_info, *args, **kwargs)  # type: ignore[misc]

    def revoked(self) -> bool:
        """Also what isn't ours any more is not to be run. If it is after all, as the server will say, it goes back."""
        if isinstance(self._message, LeasedMessage) and not self._message.ours:
            if state.requests.get(self.id) is self:  # it may have come again, under a new lease
                state.task_ready(self)
            self.reject(requeue=True)
            return True
        return bool(super().revoked())  # type: ignore[misc]


def refused(consumer: Any, message: Any, error: Exception) -> None:
    """Take the place of `Consumer.on_decode_error`, which drops a message whose body can't be decoded."""
    held = getattr(message, "held", None)
    if held is None:  # remote control
        Consumer.on_decode_error(consumer, message, error)
        return
    logger.error("the body of a message can't be decoded, so it goes to the intake: %s", error)
    held.refused = UNDECODABLE
    message.reject()


def _stopping() -> bool:
    """Whether the worker has been asked to stop: what it cuts short then hasn't died."""
    asked: list[Any] = [state.should_stop, state.should_terminate]
    return any(one is not None and one is not False for one in asked)


@lru_cache(maxsize=64)
def leased_request(base: type) -> type:
    """*base*, a request class, as one that knows of leases."""
    return base if issubclass(base, LeasedRequest) else type(f"Leased{base.__name__}", (LeasedRequest, base), {})


class Leases(bootsteps.StartStopStep):
    """The bootstep."""

    requires = ("celery.worker.consumer.events:Events",)  # so that it stops before that, and can send what is left

    def __init__(self, c: Any, **kwargs: Any) -> None:
        super().__init__(c, **kwargs)
        self._checked = False
        self._pipes: PoolPipes | None = None
        self._cycle: Any = None
        c.on_close = partial(work_goes_on, c)  # the blueprint has Celery's own, for the end
        if type(c).on_decode_error is Consumer.on_decode_error:  # else somebody keeps such messages himself
            c.on_decode_error = partial(refused, c)
        for task in c.app.tasks.values():
            task.Request = leased_request(symbol_by_name(task.Request))
            if task.Strategy == CELERYS:
                task.Strategy = f"{leased.__module__}:{leased.__name__}"
        self._see_dispatches(c)

    def include_if(self, c: Any) -> bool:
        """Only where the broker is ours."""
        from .transport import LeaseTransport

        return isinstance(c.conninfo.transport, LeaseTransport)

    def create(self, c: Any) -> None:
        """It is included; nothing has started yet."""
        self.events = EventBatches(c)

    def start(self, c: Any) -> None:
        """The consumer has connected: its channel is told whose it is."""
        self.events.begin()
        pool = getattr(c.pool, "_pool", None)
        if isinstance(pool, AsynPool):
            c.pool.flush = partial(flush_gently, pool)
            deaths_seen_at_once(pool)
        channel = c.connection.default_channel
        if not self._checked:
            channel.check_server()
            self._checked = True
        channel.kept = True
        channel.slots = c.pool.num_processes
        one_by_one = c.app.conf.worker_disable_prefetch  # there is room for one at a time, and nothing waits
        channel.moment.most_waiting = 0 if one_by_one else max(c.initial_prefetch_count - channel.slots, 0)
        channel.dispatch_is_seen = self.dispatch_is_seen
        if self.dispatch_is_seen:
            processes = c.controller.semaphore
            channel.moment.has_idle_process = lambda: processes.value > 0

    def register_with_event_loop(self, c: Any, hub: Any) -> None:
        """What starts is told to the server in front of the first write to the pool, with all that starts then."""
        write = hub.consolidate_callback
        if not self.dispatch_is_seen or write is None:
            return
        channel = c.connection.default_channel

        def tell_and_write(ready: Any) -> Any:
            channel.starts.tell()
            return write(ready)

        pool = getattr(c.pool, "_pool", None)
        if isinstance(pool, AsynPool):
            if self._pipes is None:
                self._pipes = PoolPipes(pool)
            if self._cycle is not None:
                self._cycle.turned = None  # the event loop still knows the last connection's, which would tell nobody
            self._cycle = channel.connection.cycle
            self._cycle.turned = self._pipes.join(hub, channel.starts.tell)
        hub.consolidate_callback = tell_and_write
        channel.starts.gathered = True

    def stop(self, c: Any) -> None:
        """The connection is being made anew, or the worker stops; `shutdown` follows then."""

    def shutdown(self, c: Any) -> None:
        """Nothing runs any more: give back what is left."""
        self.events.end()
        release_all()

    def _see_dispatches(self, c: Any) -> None:
        """With prefork a request is handed to the pool here, when there is a process for it."""
        controller = c.controller
        self.dispatch_is_seen = c.on_task_request == controller._process_task_sem
        if not self.dispatch_is_seen:
            return
        hand_over = controller._process_task

        def starting(request: Any) -> Any:
            if isinstance(request._message, LeasedMessage) and request._message.ours:
                request._message.starting()
            return hand_over(request)

        controller._process_task = starting


def worker_hooks_install() -> None:
    """Add the bootstep to the app of every worker that starts in this process."""
    signals.celeryd_init.connect(_add_step, weak=False, dispatch_uid=f"{__name__}.add_step")


def _add_step(*, instance: Any, **_: Any) -> None:
    instance.app.steps["consumer"].add(Leases)
