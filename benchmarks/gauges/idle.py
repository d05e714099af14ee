"""What workers cost that have nothing to do: CPU, theirs and the server's, and memory."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.broker import UNKNOWN, Broker
from benchmarks.contender import Contender


def idle(contender: Contender, broker: Broker, directory: Path, *, seconds: float) -> dict[str, float]:
    """Per cent of one core, over so many seconds."""
    broker.empty()
    with contender.working(directory) as fleet:
        broker.forget()
        cpu, began = fleet.cpu(), time.perf_counter()
        time.sleep(seconds)
        spent, passed = fleet.cpu() - cpu, time.perf_counter() - began
        server = broker.cost() if contender.on_valkey else UNKNOWN
        return {
            "cpu_percent": spent / passed * 100,
            "server_cpu_percent": server.cpu / passed * 100,
            "commands_per_second": server.commands / passed,
            "memory_mb": fleet.memory() / 1e6,
        }
