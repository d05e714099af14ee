"""docker-compose.yml says what config/, the Procfile and project/env.py say."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from honcho.environ import parse_procfile

from config.limits import SOFT_SHUTDOWN, TASK_SOFT_TIME_LIMIT, TASK_TIME_LIMIT
from config.queues import QUEUES, WORKERS
from config.routes import ROUTES
from project.celery import app
from project.env import PROJECT_ROOT, VARIABLES
from tasks.operation.heartbeat import STALE_AFTER
from tests.compose.file import Compose, Service, words
from tests.compose.local import LocalStack

# What stands for the Procfile's mail sink is another image, and these are run once or have no line in it.
NOT_IN_COMPOSE = {"smtp"}
NOT_IN_PROCFILE = {"migrate", "bucket"}

# Variables of other programs: billiard's, gunicorn's and Flower's.
NOT_OURS = {"REMAP_SIGTERM", "WEB_CONCURRENCY", "FLOWER_PURGE_OFFLINE_WORKERS", "FLOWER_BASIC_AUTH"}


def queues_of(service: Service) -> tuple[str, ...]:
    """What a worker's command names after --queues."""
    return tuple(service.command[service.command.index("--queues") + 1].split(","))


def workers(compose: Compose) -> dict[str, Service]:
    """The workers by class."""
    return {
        name.removeprefix("worker_"): service
        for name, service in compose.services.items()
        if name.startswith("worker_")
    }


def without_places(command: list[str]) -> str:
    """A command without the addresses, ports and paths that differ from one place to another."""
    text = re.sub(r"\b(?:127\.0\.0\.1|0\.0\.0\.0)\b", "HOST", " ".join(command))
    return re.sub(r"\$\w+|(?<![\w.])\d{4,5}\b|/[\w./]+", "PLACE", text)


def test_there_is_one_worker_for_each_class_and_it_takes_that_class_s_queues(compose: Compose) -> None:
    """In the same order: the first queue is emptied first."""
    assert {name: queues_of(service) for name, service in workers(compose).items()} == WORKERS


def test_each_queue_that_a_task_is_routed_to_is_taken_by_some_worker(compose: Compose) -> None:
    """A job in a queue that nobody takes waits for ever."""
    taken = {queue for service in workers(compose).values() for queue in queues_of(service)}

    assert {queue for _, queue, _ in ROUTES} <= taken
    assert taken == set(QUEUES)


def test_the_commands_are_the_procfile_s(compose: Compose) -> None:
    """What is tried at a desk is what runs in production, apart from addresses, ports and paths."""
    procfile = parse_procfile((PROJECT_ROOT / "Procfile").read_text()).processes
    at_a_desk = {name: without_places(words(line)) for name, line in procfile.items() if name not in NOT_IN_COMPOSE}
    composed = {
        service.name: without_places(service.command) for service in compose.ours if service.name not in NOT_IN_PROCFILE
    }

    assert composed == at_a_desk


def test_every_variable_is_one_that_somebody_reads(compose: Compose) -> None:
    """A misspelt variable is ignored in silence."""
    given = {name for service in compose.ours for name in service.environment} - VARIABLES

    assert {name.removesuffix("_FILE") for name in given} - VARIABLES == NOT_OURS


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> LocalStack:
    """The services' variables, with secrets that are there."""
    return LocalStack(tmp_path_factory.mktemp("compose"))


def read_settings(environment: dict[str, str]) -> str:
    """What project/env.py complains of under *environment*, and nothing else of the surroundings."""
    code = "from project.env import Environment; Environment.read()"
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    return result.stderr


def test_every_variable_without_a_default_is_given_and_each_value_can_be_read(stack: LocalStack) -> None:
    """To each service that loads the settings: those whose command is Django's, Celery's or gunicorn's."""
    settled = [service for service in stack.compose.ours if service.environment]
    distinct = {frozenset(stack.environment(service).items()): service.name for service in settled}

    assert {name: read_settings(dict(variables)) for variables, name in distinct.items()} == dict.fromkeys(
        distinct.values(), ""
    )


def test_a_forgotten_variable_would_be_found(stack: LocalStack) -> None:
    """Guards the test above."""
    variables = stack.environment(stack.compose.services["web"])
    del variables["STRIPE_API_KEY_FILE"]

    assert "STRIPE_API_KEY is not set" in read_settings(variables)


def test_a_worker_is_given_longer_to_stop_than_its_longest_job_and_the_soft_shutdown(compose: Compose) -> None:
    """Docker kills it then, and a killed worker's jobs come back after the visibility timeout: an hour later."""
    app.loader.import_default_modules()
    app.finalize()
    longest = dict.fromkeys(QUEUES, timedelta(0))
    for name, task in app.tasks.items():
        if task.__module__.startswith("apps."):
            queue = app.amqp.router.route({}, name)["queue"].name
            soft = timedelta(seconds=task.soft_time_limit or TASK_SOFT_TIME_LIMIT.total_seconds())
            hard = timedelta(seconds=task.time_limit or TASK_TIME_LIMIT.total_seconds())
            longest[queue] = max(longest[queue], soft, hard)

    assert any(longest.values()), "no task is registered"
    for service in workers(compose).values():
        assert service.environment["REMAP_SIGTERM"] == "SIGQUIT"  # else SOFT_SHUTDOWN has no effect
        for queue in queues_of(service):
            assert service.grace > longest[queue], f"{service.name}: a job of {queue} may take {longest[queue]}"
        assert service.grace > SOFT_SHUTDOWN + timedelta(seconds=10), service.name


def test_the_heartbeat_is_looked_for_where_it_is_and_with_the_patience_that_it_asks_for(compose: Compose) -> None:
    """`tasks.operation.heartbeat` says how old the file may get."""
    for service in [*workers(compose).values(), compose.services["beat"]]:
        assert f"'-{STALE_AFTER.seconds} seconds'" in service.healthcheck[-1]
        assert '"$HEARTBEAT_FILE"' in service.healthcheck[-1]
        assert Path(service.environment["HEARTBEAT_FILE"]).parent == Path("/tmp")
        assert any(entry.startswith("/tmp:") for entry in service.spec["tmpfs"])


@pytest.mark.parametrize("broker", ["valkey", "rabbitmq"])
def test_either_broker_s_address_is_a_secret_that_our_services_have(broker: str) -> None:
    """BROKER=rabbitmq changes the address alone."""
    chosen = Compose({"SECRETS": "/secrets", "BROKER": broker})

    for service in chosen.ours:
        if "BROKER_URL_FILE" in service.environment:
            assert service.environment["BROKER_URL_FILE"] == f"/run/secrets/{broker}_url"
            assert f"{broker}_url" in service.secrets
