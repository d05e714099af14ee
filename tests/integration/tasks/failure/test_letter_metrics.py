"""What Prometheus is told of dead letters and circuits: the truth of the moment, by whichever relay is asked."""

from __future__ import annotations

import sys
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.ports import FreePorts
from project.local.waiting import wait_until
from tasks.failure.circuit_models import Circuit
from tasks.failure.letter_models import DeadLetter

pytestmark = pytest.mark.django_db(transaction=True)


def letter(name: str, *, age: timedelta = timedelta(0), state: str = "open") -> None:
    DeadLetter.objects.create(
        task_id=f"{name} {DeadLetter.objects.count()}", name=name, reason="error", queue="default", fingerprint="f",
        state=state, last_seen_at=timezone.now() - age,
    )  # fmt: skip


def test_a_relay_tells_how_many_are_open_how_many_came_lately_and_what_is_held_back(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    """Closed ones are nobody's worry; a letter that was made while it runs is told of at the next scrape."""
    letter("metrics.now")
    letter("metrics.now")
    letter("metrics.then", age=timedelta(hours=1))
    letter("metrics.closed", state="discarded")
    now = timezone.now()
    for name, state in (("metrics.held", "open"), ("metrics.flows", "closed")):
        Circuit.objects.create(
            name=name, state=state, round=1, half_began_at=now, succeeded=0, failed=0, earlier_succeeded=0,
            earlier_failed=0, pauses=0, permits=0, good=0,
        )  # fmt: skip
    port = FreePorts().pick("metrics")
    relay = Child(
        name="relay",
        command=[sys.executable, "manage.py", "relay"],
        environment={**process_environment, "METRICS_PORT": str(port)},
        directory=PROJECT_ROOT,
        log=tmp_path / "relay.log",
    )
    relay.start()

    def told() -> set[str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return set()
        return {line for line in lines if line.startswith("tasks_")}

    try:
        assert wait_until(told, within=timedelta(seconds=60)), relay.log_tail(30)
        labels = 'queue="default",reason="error",state="open"'
        assert told() >= {
            'tasks_dead_letters{queue="default",reason="error",state="open",task="metrics.now"} 2.0',
            f'tasks_dead_letters{{{labels},task="metrics.then"}} 1.0',
            'tasks_dead_letters_arrived{reason="error",task="metrics.now"} 2.0',
            'tasks_circuit_open{task="metrics.held"} 1.0',
            'tasks_circuit_open{task="metrics.flows"} 0.0',
        }
        assert not any("metrics.closed" in line for line in told() if line.startswith("tasks_dead_letters{"))
        letter("metrics.now")
        assert 'tasks_dead_letters_arrived{reason="error",task="metrics.now"} 3.0' in told()
    finally:
        relay.kill()
