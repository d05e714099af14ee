"""`manage.py relay` started wrongly, or where it can't do its work: it says so, and ends where that is right."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from celery import current_app
from django.core.management import CommandError, call_command
from django.test import override_settings

from project.env import PROJECT_ROOT
from tasks import task
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.relay import Relay
from tasks.enqueue.relay_loop import RelayLoop

pytestmark = pytest.mark.django_db(transaction=True)


@task("relay_command_test.take_note", time_limit=timedelta(seconds=10))
def take_note(number: int) -> None:
    """Does nothing: no worker runs here."""


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--batch", "-1", "--once"], "'-1' is no whole number from 1 to"),
        (["--batch", "0", "--once"], "'0' is no whole number from 1 to"),
        (["--batch", "-1"], "'-1' is no whole number from 1 to"),
        (["--batch", "many"], "'many' is no whole number from 1 to"),
        (["--sweep", "-1"], "'-1' is no time in seconds, from 0.01 to 86400"),
        (["--sweep", "0"], "'0' is no time in seconds"),
        (["--sweep", "nan"], "'nan' is no time in seconds"),
        (["--sweep", "1e300"], "'1e300' is no time in seconds"),
    ],
)
def test_what_it_cannot_use_is_told(words: list[str], problem: str) -> None:
    """A relay that runs and sends nothing looks like one that works."""
    with pytest.raises(CommandError, match=problem):
        call_command("relay", *words)


def test_nor_is_it_taken_from_a_program() -> None:
    with pytest.raises(ValueError, match="batch must be at least 1, not 0"):
        Relay(current_app, batch=0)
    with pytest.raises(ValueError, match="sweep must be above zero, not"):
        RelayLoop(current_app, sweep=timedelta(0))


def test_once_without_a_broker_ends_with_a_line_and_keeps_the_messages(process_environment: dict[str, str]) -> None:
    """As a deployment's last step it must not look as if all was sent."""
    take_note.enqueue(1)
    done = subprocess.run(
        [sys.executable, "manage.py", "relay", "--once"],
        cwd=PROJECT_ROOT,
        env={**process_environment, "BROKER_URL": "redis+lease://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("CommandError: the broker took nothing")
    assert "Traceback" not in done.stderr
    assert OutboxMessage.objects.get().state == "queued"


@pytest.mark.usefixtures("clean_broker")
def test_once_tells_what_was_set_aside(caplog: pytest.LogCaptureFixture) -> None:
    """What the broker refuses is not sent, and whoever sent it is to know."""
    OutboxMessage.objects.filter(task_id=take_note.enqueue(1)).update(properties={"routing_key": "twice"})
    loop = RelayLoop(current_app)

    assert loop.drain() == 0
    assert "was set aside" in caplog.text


@pytest.mark.usefixtures("clean_broker")
def test_once_stops_when_it_is_told_to() -> None:
    """After the batch in hand; the rest stays."""
    for number in range(3):
        take_note.enqueue(number)
    loop = RelayLoop(current_app, batch=1)
    send = loop.relay.send_batch

    def send_and_stop() -> object:
        loop.stop()
        return send()

    loop.relay.send_batch = send_and_stop  # type: ignore[assignment, method-assign]
    assert loop.drain() == 1
    assert OutboxMessage.objects.filter(state="queued").count() == 2


def test_a_heartbeat_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    """Not after the first messages, by a relay that dies of it."""
    with (
        override_settings(TASKS={"HEARTBEAT_FILE": str(tmp_path / "missing" / "beat")}),
        pytest.raises(CommandError, match=r"HEARTBEAT_FILE.*name a file in a directory that exists"),
    ):
        call_command("relay")


def test_one_that_can_be_written_no_more_does_not_end_the_relay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages go on; the file grows old, and whoever looks at it is told by that."""
    with override_settings(TASKS={"HEARTBEAT_FILE": str(tmp_path / "missing" / "beat")}):
        RelayLoop(current_app)._beat()
    assert "the heartbeat can't be written" in caplog.text


@pytest.mark.parametrize("port", ["taken", "99999"])
def test_a_port_that_cannot_be_had_is_told(port: str) -> None:
    """With the setting to look at."""
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104
        number = server.getsockname()[1] if port == "taken" else int(port)
        with (
            override_settings(TASKS={"METRICS_PORT": number}),
            pytest.raises(CommandError, match=f"can't be served at port {number}: .*METRICS_PORT"),
        ):
            call_command("relay")
