"""ReliableTask, and DeadLetterTask, the base class under `@task`.

What ReliableTask adds to Celery's DjangoTask:

- `enqueue`: the call is a row in the caller's transaction, sent after the commit by the relay.
- A delivery is carried out as one attempt (`execution.attempt`): its effect happens once, what follows it is written
  with it, and its end is on record.
- An error says what happens next. `Transient`, and what `retry_on` names, is retried by the task's `RetryPolicy`;
  everything else, `Permanent` above all, fails at once.
- Arguments that would not arrive as they were sent are refused where the call is made.
- Acknowledged when done, and sent back to its queue when the child under it is killed, whatever the app's settings
  say: a task of this base is written to run twice.

What DeadLetterTask adds to that: a job that can't be carried out, in whatever way it dies, is kept whole, with all its
attempts, and a job that kills the process that runs it does so a few times and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from inspect import signature as signature_of
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, ParamSpec, TypeVar, cast

from celery.contrib.django.task import DjangoTask
from celery.exceptions import Ignore
from celery.utils.saferepr import saferepr

from .conf import conf
from .enqueue.bulk import enqueue_many
from .enqueue.in_force import current_recorder
from .enqueue.native_delay import eta_of
from .enqueue.outbox import enqueue
from .enqueue.payloads import check_payload
from .enqueue.unique_alone import IN_CANVAS, check_followers
from .enqueue.uniqueness import Unique
from .errors import UniqueRefused
from .execution.attempt import attempt
from .execution.effects import current_key
from .execution.giving_up import Replaced
from .execution.settlement import Settled
from .failure.backoff import RetryPolicy
from .failure.blackening import task_secrets
from .failure.budget import RetryBudget
from .failure.redaction import Redaction, is_secret
from .keys import KeyTemplate
from .options import ENQUEUE_OPTIONS

if TYPE_CHECKING:
    from celery.canvas import Signature
    from celery.result import AsyncResult

    from .failure.letter_models import DeadLetter

P = ParamSpec("P")
R = TypeVar("R")

# What Celery's `apply_async` takes by position after the arguments, and what of its options is about the broker alone.
_BY_POSITION: Final = ("task_id", "producer", "link", "link_error", "shadow")
_BROKERS: Final = frozenset({"producer", "publisher", "connection", "router", "add_to_parent"})


class ReliableTask(DjangoTask[P, R], Generic[P, R]):
    """A task whose errors decide whether it is tried again. Declare with `@task`, or as `base=` of `@shared_task`."""

    abstract = True
    acks_late = True
    reject_on_worker_lost = True

    retry_policy: RetryPolicy = RetryPolicy()
    retry_on: tuple[type[Exception], ...] = ()
    budget: RetryBudget | None = None

    effect: Literal["database", "external"] | None = None
    once: KeyTemplate | None = None
    ttl: timedelta = timedelta(days=30)
    lease: timedelta = timedelta(minutes=10)
    on_unknown: Literal["retry", "dead"] = "dead"
    reconcile: Callable[[str], Settled | None] | None = None

    unique: Unique | None = None

    # What the rest of the toolkit knows a task of this base by.
    is_reliable = True

    keeps_letters = False
    on_death: Callable[[DeadLetter, dict[str, Any]], object] | None = None
    on_redrive: Callable[[DeadLetter, dict[str, Any]], object] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the body; in a worker, as one attempt at a job (`execution.attempt`)."""
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        if self.request.is_eager:  # `apply()` is a call like any other: no delivery, nothing to be kept once
            return self.run(*args, **kwargs)
        return cast("R", attempt(self, args, kwargs))

    @property
    def idempotency_key(self) -> str:
        """The key of the effect that the running body is to bring about; to be given to the provider."""
        return current_key.get()

    def bound_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The call's arguments by the body's parameter names, defaults included."""
        bound = signature_of(self.run).bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def enqueue(self, *args: Any, **kwargs: Any) -> str:
        """Write the call to the outbox, in the caller's transaction; return its task id at once.

        Beside the task's own arguments it takes `countdown`, `eta`, `expires`, `priority`, `headers`, `task_id`,
        `link` and `link_error`, as `apply_async` does. Raises TypeError for arguments that the task doesn't take, and
        PayloadRefused for those that aren't JSON. For a unique task, see `enqueue.uniqueness`.
        """
        options = {name: kwargs.pop(name) for name in ENQUEUE_OPTIONS & kwargs.keys()}
        check_arguments: Any = self.__header__  # type: ignore[attr-defined]
        check_arguments(*args, **kwargs)
        return enqueue(self.signature(args, kwargs, immutable=True), **options)

    def enqueue_many(self, calls: Iterable[Mapping[str, Any]], **options: Any) -> int:
        """Write one call for each of *calls*, its keyword arguments, in chunks; return how many."""
        return enqueue_many(str(self.name), calls, **options)

    def apply_async(
        self,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        *rest: Any,
        **options: Any,
    ) -> AsyncResult[R]:
        """Publish as Celery does; a unique task is enqueued (`enqueue.uniqueness`), in the caller's transaction.

        Raises PayloadRefused for arguments that wouldn't arrive as they were sent, and UniqueRefused for a unique task
        in a canvas.
        """
        self._check_payload(args, kwargs)
        options.update(zip(_BY_POSITION, rest, strict=False))
        recorder = current_recorder()
        if recorder is None or not recorder.takes_unique:
            check_followers(options)
            if self._is_new_and_unique(options):
                if recorder is not None:
                    raise UniqueRefused(str(self.name), IN_CANVAS)
                call = {name: value for name, value in options.items() if name not in _BROKERS}
                return self.AsyncResult(enqueue(self.signature(args, kwargs), **call))
        if recorder is not None:
            due_at = eta_of(self.app, options.pop("countdown", None), options.pop("eta", None))
            options["producer"] = recorder.due(due_at)
        return super().apply_async(args, kwargs, **options)

    def delay_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> Any:  # None, though Celery's stubs say otherwise
        """Celery's; raises PayloadRefused here, not after the commit, when the rows would stay without their job."""
        self._check_payload(args, kwargs)
        return super().delay_on_commit(*args, **kwargs)

    def apply_async_on_commit(
        self,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        *rest: Any,
        **options: Any,
    ) -> Any:
        """Celery's; raises PayloadRefused here, as `delay_on_commit` does."""
        self._check_payload(args, kwargs)
        return super().apply_async_on_commit(args, kwargs, *rest, **options)

    def signature(self, args: tuple[Any, ...] | None = None, *starargs: Any, **starkwargs: Any) -> Signature[R]:
        """Celery's signature; raises PayloadRefused here, not when a chain gets to it."""
        self._check_payload(args, starargs[0] if starargs else starkwargs.get("kwargs"))
        return super().signature(args, *starargs, **starkwargs)

    def on_replace(self, sig: Signature[Any]) -> Any:
        """Celery's; says so, as an Ignore of the body's own would end the job."""
        try:
            return super().on_replace(sig)
        except Ignore as error:
            raise Replaced(*error.args) from error

    def without_secrets(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments as Celery may show them, in its logs and in Flower."""
        return args, kwargs

    def _is_new_and_unique(self, options: Mapping[str, Any]) -> bool:
        """Whether this is a unique job, and neither the next attempt of the running one nor run inside its call."""
        request: Any = self.request
        is_again = request.id is not None and options.get("task_id") == request.id
        return self.unique is not None and not is_again and not self.app.conf.task_always_eager

    def _check_payload(self, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> None:
        check_payload(str(self.name), args or (), kwargs or {}, max_bytes=conf().payload_max_bytes)


class DeadLetterTask(ReliableTask[P, R], Generic[P, R]):
    """A task whose dead jobs are kept (`failure.letter_models`). What `@task` uses; works alone as `base=`, too.

    secret: the parameters, and names of fields inside them, that are shown nowhere: not in letters, logs and Flower.
    on_death: called with the letter and the job's arguments by name, in the transaction in which the job ends.
    on_redrive: the same in the transaction in which its letter is redriven; what it raises keeps that from happening.
    keep_revoked: whether a revoked job is a dead letter, too. An expired one always is.
    """

    abstract = True
    Request = f"{__package__}.execution.request:DeadLetterRequest"

    keeps_letters = True
    keep_revoked: bool = False
    secret: tuple[str, ...] = ()

    def apply_async(
        self,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        *rest: Any,
        **options: Any,
    ) -> AsyncResult[R]:
        """As `ReliableTask`'s; what is secret is left out of what Celery shows of the call."""
        if self._has_secrets:
            shown_args, shown_kwargs = self.without_secrets(args or (), kwargs or {})
            options["argsrepr"], options["kwargsrepr"] = saferepr(shown_args), saferepr(shown_kwargs)
        return super().apply_async(args, kwargs, *rest, **options)

    def without_secrets(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments with what is secret blacked out."""
        if not self._has_secrets:
            return args, kwargs
        return Redaction(task_secrets).call(str(self.name), args, kwargs)

    @cached_property
    def _has_secrets(self) -> bool:
        return bool(self.secret) or any(is_secret(name) for name in signature_of(self.run).parameters)
