"""Choosing ports while other programs listen."""

from __future__ import annotations

import random
import socket
import subprocess
import sys

import pytest

from project.local.ports import FREE_RANGE, HOST, NoPortFree, PreferredPorts, is_free


def unclaimed() -> int:
    """A port where nobody listens, of those that no other test's process claims: `FreePorts` chooses among higher."""
    return next(port for port in random.sample(range(10_000, FREE_RANGE.start - 200), 100) if is_free(port))


@pytest.mark.parametrize("address", [HOST, "0.0.0.0"])  # noqa: S104 -- as somebody else's server would
def test_a_taken_port_gives_the_next_free_one_and_is_told(address: str) -> None:
    """`./run up` beside another project says where its pages are instead of failing."""
    wanted = unclaimed()
    ports = PreferredPorts({"web": wanted})
    with socket.create_server((address, wanted)):
        got = ports.pick("web")
    assert got > wanted
    assert ports.moved == {"web": (wanted, got)}


def test_a_free_preferred_port_is_taken_without_a_word() -> None:
    """People have it in their bookmarks."""
    wanted = unclaimed()
    ports = PreferredPorts({"web": wanted})
    assert ports.pick("web") == wanted
    assert not ports.moved


def test_two_services_never_get_the_same_port() -> None:
    """Neither listens yet while both choose."""
    wanted = unclaimed()
    ports = PreferredPorts({"web": wanted, "flower": wanted})
    assert ports.pick("web") != ports.pick("flower")


def test_two_processes_never_choose_the_same_port() -> None:
    """Parallel test processes start their stacks at the same moment."""
    wanted = unclaimed()
    script = (
        "import sys; from project.local.ports import PreferredPorts;"
        f"print(PreferredPorts({{'web': {wanted}}}).pick('web'), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        theirs = int(other.stdout.readline())
        ours = PreferredPorts({"web": wanted}).pick("web")
        other.communicate()
    assert wanted <= theirs < ours  # not always the wanted one itself: any program may have that


def test_when_every_port_is_taken_the_error_says_what_to_do() -> None:
    """The range that was tried is named."""
    wanted = unclaimed()
    with socket.create_server((HOST, wanted)), pytest.raises(NoPortFree, match=f"for web between {wanted}") as raised:
        PreferredPorts({"web": wanted}, tries=1).pick("web")
    assert "stop a program" in str(raised.value)
