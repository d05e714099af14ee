"""Finding what an earlier run left behind when even its watchdog was killed.

Each file under `var/run` holds a process's number, the time it began and the signal that ends it. The time is there so
that a number that has since been given to some other program is never mistaken for ours.
"""

from __future__ import annotations

import signal
from pathlib import Path

import psutil

from project.local.leash import PATIENCE_SECONDS, end_groups

# A start time is derived from the system clock, which may be set between two readings.
CLOCK_TOLERANCE_SECONDS = 5.0


def pidfile_write(directory: Path, name: str, pid: int, last_signal: signal.Signals) -> None:
    """Note that process *pid* is *name*. A process that has already ended is not noted."""
    try:
        began = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.pid").write_text(f"{pid} {began} {last_signal.value}\n")


def pidfile_remove(directory: Path, name: str) -> None:
    """Forget *name*."""
    (directory / f"{name}.pid").unlink(missing_ok=True)


def leftovers_end(directory: Path, *, patience_seconds: float = PATIENCE_SECONDS) -> list[str]:
    """End the process groups noted in *directory* that still run, and return their names."""
    found = {file.stem: process for file in directory.glob("*.pid") if (process := _running(file))}
    end_groups(dict(found.values()), patience_seconds=patience_seconds)
    for file in directory.glob("*.pid"):
        file.unlink(missing_ok=True)
    return sorted(found)


def _running(file: Path) -> tuple[int, int] | None:
    """The process's number and the signal that ends it, if it is still the one that was noted."""
    try:
        number, began, last_signal = file.read_text().split()
        process = psutil.Process(int(number))
        if abs(process.create_time() - float(began)) < CLOCK_TOLERANCE_SECONDS:
            return process.pid, int(last_signal)
    except (ValueError, psutil.NoSuchProcess):
        pass
    return None
