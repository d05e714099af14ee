"""`./run up`: everything runs in one terminal until somebody stops it."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Final, NoReturn

from project.local.environment import PREFERRED_PORTS, STAFF_USER, variables_given
from project.local.errors import ServiceFailed
from project.local.instance import AlreadyRunning, Instance
from project.local.log_view import LogView
from project.local.pidfiles import leftovers_end
from project.local.ports import NoPortFree, PreferredPorts
from project.local.stack import Stack
from project.local.terminal import Stopped, StopSignals, say, say_note, say_stage, silence

PAUSE: Final = timedelta(milliseconds=100)


def up(directory: Path) -> int:
    """Run a stack in *directory* until stopped. Returns 0 after Ctrl-C, 1 when it could not be kept running."""
    signals = StopSignals()
    try:
        _up(directory, signals)
    except Stopped:
        return 0
    except (AlreadyRunning, NoPortFree, ServiceFailed) as failure:
        say(f"./run up: {failure}")
        return 1


def _up(directory: Path, signals: StopSignals) -> NoReturn:
    began = time.monotonic()
    instance = Instance(directory / "run")
    for name in leftovers_end(directory / "run"):
        say_note(f"ended {name}, which an earlier ./run up had left behind")
    ports = PreferredPorts(PREFERRED_PORTS)
    stack = Stack(directory=directory, ports=ports, environment=variables_given(), report=say_stage, say=say_note)
    for variable in stack.given:
        say_note(f"{variable} is given, so that server is used")
    for name, (wanted, got) in ports.moved.items():
        say_note(f"port {wanted} is taken, so {name} gets {got}")
    try:
        stack.start()
        instance.tell(stack.url("web"))
        _introduce(stack, time.monotonic() - began)
        stack.settle()
        _watch(stack)
    finally:
        say_note("stopping; Ctrl-C once more does not wait for running jobs")
        stack.stop(hurried=signals.hurried)
        say_note("stopped")


def _watch(stack: Stack) -> NoReturn:
    view = LogView(stack.supervisor.children.values(), sys.stdout)
    while True:
        stack.tend()
        try:
            view.show()
        except OSError:  # nobody reads any more; the services go on
            silence()
        time.sleep(PAUSE.total_seconds())


def _introduce(stack: Stack, seconds: float) -> None:
    flower_user, _, flower_password = stack.environment["FLOWER_BASIC_AUTH"].partition(":")
    say(f"""
Ready after {seconds:.1f} s.

  pages    {stack.url("web")}  user {STAFF_USER}, password {stack.environment["STAFF_PASSWORD"]}
  Flower   {stack.url("flower")}  user {flower_user}, password {flower_password}
  mails    {stack.mail}
  logs     {stack.logs}

Ctrl-C stops everything. What follows is what the processes write.
""")
