"""Tasks that die when a test says so, and the way of one job from its death to its redrive's end."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from celery import chain, current_app
from django.contrib.auth.models import Group
from django.db import transaction

from tasks import Permanent, RetryPolicy, Unique, task
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.execution.messages import message_die
from tasks.failure.letter_models import DeadLetter
from tasks.failure.remains import Cause, of_row
from tests.integration.tasks.attempts.delivering import job

LIMIT = timedelta(minutes=1)
NEVER = RetryPolicy.never()

in_body: dict[str, Callable[[], Any]] = {}
redriven: list[dict[str, Any]] = []
mourned: list[str] = []


def act() -> Any:
    return in_body["now"]()


def die() -> None:
    raise Permanent("no")


def taken_up(letter: DeadLetter, arguments: dict[str, Any]) -> None:
    """Every redrive of `redrive.hooked`."""
    redriven.append({"letter": letter.task_id, **arguments})
    Group.objects.create(name=f"taken up {arguments['number']}")
    if arguments["number"] < 0:
        raise ValueError("nothing left to take up")


@task("redrive.plain", time_limit=LIMIT, retry=NEVER)
def plain(number: int, comment: str = "") -> Any:
    return act()


@task("redrive.once", time_limit=LIMIT, retry=NEVER, effect="database", once="redrive:{number}")
def once(number: int) -> Any:
    Group.objects.create(name=f"effect {number}")
    return act()


@task("redrive.outside", time_limit=LIMIT, retry=NEVER, effect="external", once="redrive:outside:{number}")
def outside(number: int) -> Any:
    return act()


@task("redrive.patient", time_limit=LIMIT, retry=RetryPolicy.after(LIMIT, LIMIT))
def patient(number: int) -> Any:
    return act()


@task("redrive.secretive", time_limit=LIMIT, retry=NEVER, secret=("card",))
def secretive(card: str, amount: int) -> Any:
    in_body["seen"] = lambda: (card, amount)
    return act()


@task("redrive.alone", time_limit=LIMIT, retry=NEVER, unique=Unique(by=("number",)))
def alone(number: int) -> Any:
    return act()


@task(
    "redrive.dated",
    time_limit=LIMIT,
    retry=NEVER,
    unique=Unique(by=("day",)),
    on_redrive=lambda letter, arguments: redriven.append({"letter": letter.task_id, **arguments}),
)
def dated(day: date, number: int) -> Any:
    return act()


@task(
    "redrive.newest", time_limit=LIMIT, retry=NEVER, unique=Unique(by=("user",), on_conflict="replace"),
    on_death=lambda letter, _: mourned.append(letter.task_id),
)  # fmt: skip
def newest(user: int, comment: str) -> Any:
    return act()


@task("redrive.hooked", time_limit=LIMIT, retry=NEVER, on_redrive=taken_up)
def hooked(number: int) -> Any:
    return act()


@task("redrive.follow", time_limit=LIMIT)
def follow(what: str) -> None: ...


@task("redrive.collect", time_limit=LIMIT)
def collect(results: list[Any]) -> None: ...


def sent(task_id: str) -> OutboxMessage:
    """The job's message as the relay hands it to the broker."""
    OutboxMessage.objects.filter(task_id=task_id).update(state="sent")
    return job(task_id)


def delivered(message: OutboxMessage) -> Any:
    """One delivery of a message, as a worker's request has it."""
    args, kwargs, follows = json.loads(message.body)
    of = current_app.tasks[message.name]
    toolkit = {name: value for name, value in message.headers.items() if name.startswith("tasks_")}
    told = {name: message.headers.get(name) for name in ("group", "group_index", "root_id", "parent_id", "expires")}
    of.push_request(
        id=message.task_id, task=message.name, args=args, kwargs=kwargs, retries=message.retries, called_directly=False,
        delivery_info={"routing_key": message.routing_key, "exchange": message.exchange, "priority": message.priority},
        headers=toolkit, **toolkit, **told, **(follows or {}),
    )  # fmt: skip
    try:
        return of(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 -- the test looks at it
        return error
    finally:
        of.pop_request()


def dead(of: Any, *args: Any, **kwargs: Any) -> DeadLetter:
    """The letter of a job that has just died."""
    return died(of.enqueue(*args, **kwargs))


def died(task_id: str) -> DeadLetter:
    """The letter of a job that dies now."""
    in_body["now"] = die
    delivered(sent(task_id))
    in_body["now"] = lambda: "result"
    return DeadLetter.objects.get(task_id=task_id)


def taken_for_dead(task_id: str) -> DeadLetter:
    """The letter of a job that the broker gives up while a worker may still be at it."""
    remains = of_row(job(task_id))
    with transaction.atomic():
        assert message_die(remains, Cause(reason=DeadLetter.Reason.WORKER_LOST, error_type="Lost", error_message="3"))
    return DeadLetter.objects.get(task_id=task_id)


def dead_in_chain(number: int) -> DeadLetter:
    """Of the first link of two."""
    enqueue(chain(plain.si(number), follow.si("after")))
    return died(OutboxMessage.objects.get(name="redrive.plain").task_id)
