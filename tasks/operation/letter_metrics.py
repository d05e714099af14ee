"""Dead letters and circuits for Prometheus, read from the database when it asks.

So a figure is the truth whichever process is asked, and a death costs no more for being counted. Served by a relay
at `METRICS_PORT`, as it is inside and has nothing else to show: let Prometheus alone reach that port.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, connections
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ..enqueue import rows

log = logging.getLogger(__name__)

_NOW: Final = """
    SELECT state, name, queue, reason, count(*) FROM tasks_deadletter WHERE state IN ('open', 'redriven')
    GROUP BY state, name, queue, reason
"""
_LATELY: Final = """
    SELECT name, reason, count(*) FROM tasks_deadletter WHERE last_seen_at > now() - interval '5 minutes'
    GROUP BY name, reason
"""
_CIRCUITS: Final = "SELECT name, (state <> 'closed')::int FROM tasks_circuit"


class LetterCollector(Collector):
    """Three families. With the database away there is none of them, so that an alert may ask for their absence."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read and tell, on a connection that is not kept: each scrape has a thread of its own."""
        try:
            families = [
                _family(
                    "tasks_dead_letters", "Letters that nobody has closed.", ["state", "task", "queue", "reason"], _NOW
                ),
                _family(
                    "tasks_dead_letters_arrived", "Letters whose last death was in the last 5 minutes.",
                    ["task", "reason"], _LATELY,
                ),
                _family("tasks_circuit_open", "Whether the task's jobs are held back.", ["task"], _CIRCUITS),
            ]  # fmt: skip
        except (DatabaseError, InterfaceError):
            log.exception("dead letters could not be counted")
            families = []
        finally:
            connections[rows.alias()].close()
        yield from families

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing is read to register it."""
        return []


def metrics_serve(port: int, address: str = "0.0.0.0") -> Any:  # noqa: S104 -- a container's; nobody publishes it
    """Serve `/metrics` on a thread; return the server. Raises OSError when the port is taken."""
    registry = CollectorRegistry()
    registry.register(LetterCollector())
    server, _ = start_http_server(port, addr=address, registry=registry)
    return server


def _family(name: str, told: str, labels: list[str], statement: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=labels)
    with rows.cursor() as cursor:
        cursor.execute(statement)
        for *values, figure in cursor.fetchall():
            family.add_metric([str(value) for value in values], figure)
    return family
