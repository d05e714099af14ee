"""Bringing the services up in the order that the file's `depends_on` gives, and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from project.local.child import Child
from project.local.waiting import wait_until
from tests.compose import servers
from tests.compose.local import LocalStack
from tests.compose.packages import guard_write

HEALTHY_WITHIN: Final = timedelta(seconds=90)
PAUSE: Final = timedelta(milliseconds=300)  # a check starts a process

# Services of other images, by what stands for them here. Nothing of ours depends on those that are absent.
OTHERS: Final[Mapping[str, Callable[[LocalStack], Child]]] = {
    "postgres": servers.postgres,
    "broker": lambda stack: servers.valkey(stack, "broker"),
    "cache": lambda stack: servers.valkey(stack, "cache"),
    "s3": servers.s3,
    "mailpit": servers.mailpit,
}
CHECKED: Final = ("postgres", "broker", "cache")  # real ones, so that their own health checks mean something


class RunningStack:
    """A LocalStack whose services run. Used as a context manager; kills what is left."""

    def __init__(self, directory: Path) -> None:
        self.local = LocalStack(directory)
        self.children: dict[str, Child] = {}
        self._packages = {"PYTHONPATH": str(guard_write(directory / "packages"))}

    def up(self, *names: str) -> None:
        """Start each of *names* and what it depends on, and wait until it is healthy or, run once, has ended well."""
        for name in names:
            self._start(name)
        for name in names:
            self._wait(name)

    def complaint(self, name: str) -> str | None:
        """What the health check of *name* has to say; None when it is well."""
        return self.local.check(name)

    def __enter__(self) -> Self:
        self.local.build()
        self.up("postgres")
        servers.postgres_database_create(self.local)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self.children.values()):
            child.kill()

    def _start(self, name: str) -> None:
        if name in self.children:
            return
        service = self.local.compose.services[name]
        for needed, how in service.spec.get("depends_on", {}).items():
            if how.get("required", True):
                self._start(needed)
                self._wait(needed)
        child = self.local.process(name, variables=self._packages) if service.ours else OTHERS[name](self.local)
        self.children[name] = child
        child.start()

    def _wait(self, name: str) -> None:
        service, child = self.local.compose.services[name], self.children[name]
        if service.one_shot:
            assert child.ended(within=HEALTHY_WITHIN), f"{name} goes on and on:\n{child.log_tail()}"
            assert child.exit_code == 0, f"{name} ended with {child.exit_code}:\n{child.log_tail()}"
        elif service.ours or name in CHECKED:
            wait_until(lambda: not child.alive or self.complaint(name) is None, within=HEALTHY_WITHIN, pause=PAUSE)
            assert child.alive, f"{name} ended with {child.exit_code}:\n{child.log_tail()}"
            complaint = self.complaint(name)
            assert complaint is None, f"{name} is not healthy: {complaint}\n{child.log_tail()}"
