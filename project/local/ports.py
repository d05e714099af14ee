"""Choosing TCP ports on the loopback address.

A port is chosen when nobody listens on it and no other process of ours has spoken for it. The claim is a file lock
that is held until this process ends, so two test runs that start at the same moment do not choose the same port.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

HOST = "127.0.0.1"

# Below the range from which Linux and macOS take the ports of outgoing connections.
FREE_RANGE = range(20_000, 32_000)

_claims: dict[int, int] = {}


class NoPortFree(OSError):
    """Every port that was tried is taken."""

    def __init__(self, name: str, first: int, last: int) -> None:
        super().__init__(name, first, last)
        self.name, self.first, self.last = name, first, last

    def __str__(self) -> str:
        return (
            f"no free port for {self.name} between {self.first} and {self.last} on {HOST}: "
            "stop a program that listens there and start again"
        )


class Ports(Protocol):
    """Something that chooses a port for the service *name*."""

    def pick(self, name: str) -> int:
        """A port that is free now and spoken for until this process ends. Raises NoPortFree."""


class PreferredPorts:
    """The ports people expect, or the next free ones. `moved` tells which were taken: name -> (wanted, got)."""

    def __init__(self, preferred: Mapping[str, int], *, tries: int = 100) -> None:
        self.preferred, self.tries = preferred, tries
        self.moved: dict[str, tuple[int, int]] = {}

    def pick(self, name: str) -> int:
        """The preferred port of *name*, or the nearest free one above it."""
        wanted = self.preferred[name]
        port = _first_claimed(name, range(wanted, wanted + self.tries))
        if port != wanted:
            self.moved[name] = (wanted, port)
        return port


class FreePorts:
    """Any free ports, for tests and demonstrations that run beside other things."""

    def pick(self, name: str) -> int:
        """A free port, begun at random so that parallel runs seldom meet."""
        start = random.randrange(len(FREE_RANGE))  # noqa: S311 -- spreads load, hides nothing
        return _first_claimed(name, [*FREE_RANGE[start:], *FREE_RANGE[:start]])


def is_free(port: int) -> bool:
    """Whether a server could listen on *port* of the loopback address, and nobody answers there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((HOST, port)) == 0:
            return False  # macOS lets one bind 127.0.0.1 beside a server on all addresses
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError:
            return False
    return True


def _first_claimed(name: str, candidates: Iterable[int]) -> int:
    tried = []
    for port in candidates:
        tried.append(port)
        if _claim(port):
            if is_free(port):
                return port
            os.close(_claims.pop(port))
    raise NoPortFree(name, min(tried), max(tried))


def _claim(port: int) -> bool:
    if port in _claims:
        return False
    directory = Path(tempfile.gettempdir()) / f"rootstock-ports-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(directory / str(port), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    _claims[port] = descriptor
    return True
