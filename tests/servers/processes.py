"""Asking the system which processes there are."""

from __future__ import annotations

from collections.abc import Iterable

import psutil


def still_running(pids: Iterable[int]) -> list[int]:
    """Those of *pids* that run. One that has ended and was not waited for yet does not."""
    return [pid for pid in pids if _runs(pid)]


def family(pid: int) -> list[int]:
    """*pid* and all its descendants."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
