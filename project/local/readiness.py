"""Waiting until every process of a stack answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from config.queues import WORKERS
from project.local.child import Child
from project.local.errors import ServiceFailed
from project.local.probes import Probe, http_probe, log_probe, smtp_probe
from project.local.waiting import wait_until

READY_WITHIN: Final = timedelta(seconds=120)
FLOWER_LOCKED: Final = 401
# It listens to nobody but the database; this is what it says when it does.
RELAY_STARTED: Final = "relay started"

# Processes of the Procfile that answer a ping through the broker, and the names they answer by.
NODES: Final = {**{f"worker_{name}": name for name in WORKERS}, "beat": "beat"}


def probes_make(ports: Mapping[str, int], ping: Child, relay_log: Path) -> dict[str, Probe]:
    """How each process of the Procfile is asked. *ping* runs `project.local.ping` for the Celery nodes."""

    def pinged(node: str) -> Probe:
        return lambda: node in ping.log.read_text().split()

    return {
        "web": http_probe(ports["web"], "/health/live"),
        "flower": http_probe(ports["flower"], "/", status=FLOWER_LOCKED),
        "payment_sandbox": http_probe(ports["payment_sandbox"], "/sandbox/health"),
        "supplier_sandbox": http_probe(ports["supplier_sandbox"], "/sandbox/health"),
        "smtp": smtp_probe(ports["smtp"]),
        "relay": log_probe(relay_log, RELAY_STARTED),
        **{name: pinged(node) for name, node in NODES.items()},
    }


def wait_until_ready(
    children: Mapping[str, Child], probes: Mapping[str, Probe], *, answered: Callable[[str], None]
) -> None:
    """Ask all of *children* until each has answered once, and call *answered* with its name when it has.

    Raises ServiceFailed when one ends, or has not answered within READY_WITHIN.
    """
    waiting = dict(children)

    def all_answer() -> bool:
        for name, child in list(waiting.items()):
            if not child.alive:
                raise _failed(child, f"ended with code {child.exit_code} while starting")
            if probes[name]():
                del waiting[name]
                answered(name)
        return not waiting

    if not wait_until(all_answer, within=READY_WITHIN, pause=timedelta(milliseconds=50)):
        child = next(iter(waiting.values()))
        raise _failed(child, f"did not answer within {READY_WITHIN.seconds} s")


def _failed(child: Child, reason: str) -> ServiceFailed:
    return ServiceFailed(child.name, reason, child.log_tail(), f"correct what {child.log} tells, and start again")
