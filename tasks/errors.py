"""The errors of the toolkit, and the two that a task's author raises: `Transient` and `Permanent`.

Facts are in `args` and the sentence in `__str__`, so that an error survives pickle and JSON.
"""

from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches


class Transient(Exception):
    """What failed may work later: the task is retried by its `RetryPolicy`.

    retry_after: not before so long, as the upstream asks. Where the error was raised from one that carries an HTTP
    answer, its `Retry-After` header is found without being told.
    """

    retry_after: timedelta | None = None

    def __init__(self, *args: object, retry_after: timedelta | None = None) -> None:
        super().__init__(*args)
        if retry_after is not None:
            self.retry_after = retry_after


class Permanent(Exception):
    """Trying again can't help: the task fails at once."""


class DeclarationError(TypeError):
    """A task is declared in a way that can't work. Raised on the declaring line, at import."""


class UnknownOption(DeclarationError):
    """`@task` was given an option that neither the toolkit nor Celery knows."""

    def __init__(self, task: str, option: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(task, option, known)
        self.task, self.option, self.known = task, option, known

    def __str__(self) -> str:
        close = get_close_matches(self.option, self.known, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        return f"task {self.task!r}: unknown option {self.option!r}{hint}"


class RefusedOption(DeclarationError):
    """`@task` was given an option of Celery's that has a better place."""

    def __init__(self, task: str, option: str, instead: str) -> None:
        super().__init__(task, option, instead)
        self.task, self.option, self.instead = task, option, instead

    def __str__(self) -> str:
        return f"task {self.task!r}: option {self.option!r} is refused; {self.instead}"


class InvalidDeclaration(DeclarationError):
    """A task's name or limit is missing or malformed."""

    def __init__(self, task: str, problem: str) -> None:
        super().__init__(task, problem)
        self.task, self.problem = task, problem

    def __str__(self) -> str:
        return f"task {self.task!r}: {self.problem}"


class PayloadRefused(TypeError):
    """An argument would not arrive as it was sent, or is too large for a message."""

    def __init__(self, task: str, where: str, problem: str) -> None:
        super().__init__(task, where, problem)
        self.task, self.where, self.problem = task, where, problem

    def __str__(self) -> str:
        return f"{self.task}: {self.where} {self.problem}"


class UnknownTask(LookupError):
    """Something was published under a name that no task is registered for."""

    def __init__(self, name: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(name, known)
        self.name, self.known = name, known

    def __str__(self) -> str:
        close = get_close_matches(self.name, self.known, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        return f"no task is registered as {self.name!r}{hint}"


class ChordInTransaction(RuntimeError):
    """A chord was to be sent at once from inside a transaction."""

    def __init__(self, body: str) -> None:
        super().__init__(body)
        self.body = body

    def __str__(self) -> str:
        return (
            f"the chord of {self.body!r} can't be sent from inside a transaction: members that end before the commit "
            "would not be counted; enqueue it (`tasks.enqueue.outbox.enqueue(canvas)`), or call it after the commit "
            "(`transaction.on_commit`)"
        )


class AlreadyEnqueued(Exception):
    """A unique task, declared to raise then, was enqueued while a job of the same kind was there: *owner*, its id."""

    def __init__(self, task: str, arguments: str, owner: str) -> None:
        super().__init__(task, arguments, owner)
        self.task, self.arguments, self.owner = task, arguments, owner

    def __str__(self) -> str:
        return f"{self.task} is enqueued already for {self.arguments}: as {self.owner}"


class AlreadyBegun(AlreadyEnqueued):
    """A unique job was to be given new arguments, but it has begun, or has succeeded within its period."""

    def __init__(self, task: str, arguments: str, owner: str) -> None:
        super().__init__(task, arguments, owner)

    def __str__(self) -> str:
        return (
            f"{self.task} for {self.arguments} has begun as {self.owner}, so these arguments were not taken: enqueue "
            "it again when that has ended, or declare it unique until='started'"
        )


class UniqueRefused(TypeError):
    """A unique task was enqueued where another job standing for it would leave something undone."""

    def __init__(self, task: str, place: str) -> None:
        super().__init__(task, place)
        self.task, self.place = task, place

    def __str__(self) -> str:
        return (
            f"task {self.task!r} is unique, so another job may stand for it, and can't be {self.place}: enqueue it by "
            "itself, in the body of the task that it is to follow, say"
        )


class MemberRefused(TypeError):
    """A batch was given what it would never see end, so that it would never be over."""

    def __init__(self, batch_id: str, member: str, reason: str) -> None:
        super().__init__(batch_id, member, reason)
        self.batch_id, self.member, self.reason = batch_id, member, reason

    def __str__(self) -> str:
        return f"{self.member} can't be a member of batch {self.batch_id}: {self.reason}"


class IdempotencyError(Exception):
    """Something about an idempotency key."""


class KeyConflict(Permanent, IdempotencyError):
    """A key was used before with other arguments: an error of the caller's, not a replay."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"idempotency key {self.key!r} was used before with other arguments"


class KeyInProgress(Transient, IdempotencyError):
    """Another delivery is working on the same key; retry later."""

    def __init__(self, key: str, owner: str) -> None:
        super().__init__(key, owner)
        self.key, self.owner = key, owner

    def __str__(self) -> str:
        return f"idempotency key {self.key!r} is held by {self.owner}"


class ClaimLost(Transient, IdempotencyError):
    """Whoever held the key took longer than its lease, and somebody else has it now: nothing may be committed."""

    def __init__(self, key: str, token: int) -> None:
        super().__init__(key, token)
        self.key, self.token = key, token

    def __str__(self) -> str:
        return f"the claim {self.token} on idempotency key {self.key!r} is no longer valid"


class ResultRefused(Permanent, IdempotencyError):
    """The result can't be stored under its key, so a second delivery could not be given it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(key, problem)
        self.key, self.problem = key, problem

    def __str__(self) -> str:
        return f"the result under {self.key!r} can't be stored as JSON ({self.problem}): return plain data"


class OutcomeUnknown(Permanent, IdempotencyError):
    """An earlier attempt vanished between the call and its record, and nobody can say whether it took effect."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return (
            f"it is unknown whether the effect under {self.key!r} has happened: find out, say so by "
            f"`manage.py settle_effect`, and send the job again"
        )


class InvalidSettlement(Permanent, TypeError):
    """A task's `reconcile` hook answered with something that is neither `Settled` nor None."""

    def __init__(self, task: str, answer: str) -> None:
        super().__init__(task, answer)
        self.task, self.answer = task, answer

    def __str__(self) -> str:
        return (
            f"{self.task}: reconcile answered {self.answer}; it must answer Settled(result) when the effect has "
            "happened, None when it hasn't, or raise when it can't be told"
        )


class WorkersLost(Permanent):
    """The workers that ran a job died under it, one after the other, so it isn't given to another one."""

    def __init__(self, task: str, deaths: int) -> None:
        super().__init__(task, deaths)
        self.task, self.deaths = task, deaths

    def __str__(self) -> str:
        return f"{self.task} has taken {self.deaths} workers with it, and is not run again"


class RedriveRefused(Exception):
    """A dead letter can't be redriven as it is."""

    def __init__(self, task_id: str, reason: str) -> None:
        super().__init__(task_id, reason)
        self.task_id, self.reason = task_id, reason

    def __str__(self) -> str:
        return f"{self.task_id} can't be redriven: {self.reason}"


class AnswerNotKept(RuntimeError):
    """The answer of a view that needs an idempotency key can't be stored, so it could not be given again."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"the answer of {self.path} {self.problem}: answer with an address, and serve what is there by GET"
