"""The Procfile says the same as the configuration and the stack."""

from __future__ import annotations

import re
from pathlib import Path

from honcho.environ import parse_procfile

from config.queues import WORKERS
from project.env import PROJECT_ROOT
from project.local.environment import PREFERRED_PORTS, variables_offered
from project.local.readiness import NODES
from project.local.stack import EARLY, WITH_PORT

COMMANDS = parse_procfile((PROJECT_ROOT / "Procfile").read_text()).processes


def test_there_is_a_worker_for_each_class_of_service_with_its_queues() -> None:
    """A queue that no worker drinks from fills up without a word."""
    workers = {name: command for name, command in COMMANDS.items() if name.startswith("worker_")}
    queues = {name: tuple(command.split("--queues ")[1].split()[0].split(",")) for name, command in workers.items()}
    assert queues == {f"worker_{name}": queues for name, queues in WORKERS.items()}


def test_every_celery_process_has_the_name_it_is_asked_by() -> None:
    """Otherwise `up` would wait for an answer that never comes."""
    named = {
        name: found[1] for name, command in COMMANDS.items() if (found := re.search(r"--hostname (\w+)@%h", command))
    }
    assert named == NODES


def test_every_process_can_be_asked_whether_it_answers() -> None:
    """By a ping through the broker, or at its port; the relay says in its log that it listens to the database."""
    assert COMMANDS.keys() == {*NODES, *WITH_PORT, "relay"}
    assert COMMANDS.keys() >= set(EARLY)


def test_every_variable_in_it_is_offered(tmp_path: Path) -> None:
    """The shell would put nothing in its place."""
    used = {name for command in COMMANDS.values() for name in re.findall(r"\$\{?(\w+)", command)}
    assert used <= variables_offered(tmp_path, PREFERRED_PORTS).keys()


def test_no_password_is_on_a_command_line() -> None:
    """Everybody on the machine can list processes."""
    assert not re.search("password|basic.auth|secret", " ".join(COMMANDS.values()), re.IGNORECASE)
