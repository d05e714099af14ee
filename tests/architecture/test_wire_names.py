"""Every task's name on the wire, and the queue that it leads to."""

from __future__ import annotations

import ast
from collections import Counter
from fnmatch import fnmatchcase
from typing import Any

import pytest
from celery import current_app

from config.queues import PRIORITY_STEPS, QUEUES, WORKERS
from config.routes import ROUTES
from tasks import ReliableTask
from tasks.options import WIRE_NAME
from tests.architecture.sources import Source, dotted, sources

ROOMS = ("apps", "tasks", "project")


def declarations() -> list[tuple[str, Source, ast.Call]]:
    """(wire name, file, call) of every `@task(...)` in the project."""
    return [
        (str(call.args[0].value), source, call)
        for source in sources(*ROOMS)
        for call in source.calls()
        if dotted(call.func) == "task" and call.args and isinstance(call.args[0], ast.Constant)
    ]


@pytest.fixture(scope="module")
def registered() -> dict[str, Any]:
    """Every task of ours that a worker has, by its wire name."""
    current_app.loader.import_default_modules()
    return {name: job for name, job in current_app.tasks.items() if type(job).__module__.partition(".")[0] in ROOMS}


def test_the_worker_has_exactly_the_tasks_that_are_declared(registered: dict[str, Any]) -> None:
    """A declaration in a module that nobody imports is a task whose messages are dropped as unknown."""
    declared = {name for name, _, _ in declarations()}

    assert declared
    assert registered.keys() == declared


def test_no_wire_name_is_declared_twice() -> None:
    """Celery keeps the first and drops the other, with a warning at most."""
    assert [name for name, times in Counter(name for name, _, _ in declarations()).items() if times > 1] == []


def test_every_task_of_ours_is_declared_with_our_decorator(registered: dict[str, Any]) -> None:
    """A bare `@shared_task` has no time limit and a name that moves with its module."""
    assert [name for name, job in registered.items() if not isinstance(job, ReliableTask)] == []


def test_every_wire_name_is_its_domain_and_a_verb(registered: dict[str, Any]) -> None:
    """`orders.charge_payment` lives in `apps/orders`: whoever reads a dashboard finds the code."""
    for name, job in registered.items():
        assert WIRE_NAME.fullmatch(name)
        assert name.partition(".")[0] in type(job).__module__.split("."), (
            f"{name} is declared in {type(job).__module__}"
        )
        assert name.rpartition(".")[2] == job.run.__name__, f"{name} is called {job.run.__name__} in the code"


def test_every_task_is_sent_to_a_queue_that_exists(registered: dict[str, Any]) -> None:
    """`task_create_missing_queues` is off: a route to an undeclared queue fails when the task is published."""
    for name in registered:
        route = current_app.amqp.router.route({}, name)

        assert route["queue"].name in QUEUES
        assert route["priority"] in PRIORITY_STEPS, f"{name}: a priority between steps is rounded down to one"


def test_every_queue_has_exactly_one_class_of_worker() -> None:
    """A queue that nobody drinks from fills up in silence; two classes on one queue starve each other."""
    assert Counter(queue for worker in WORKERS.values() for queue in worker) == Counter(QUEUES)


def test_every_route_leads_a_task_somewhere(registered: dict[str, Any]) -> None:
    """The first match wins: a pattern behind a wider one, or for a task that is gone, says nothing."""
    won = {next(pattern for pattern, _, _ in ROUTES if fnmatchcase(name, pattern)) for name in registered}

    assert [pattern for pattern, _, _ in ROUTES if pattern not in won] == []
