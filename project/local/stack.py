"""Servers, migrations and the Procfile's processes, put together in one directory.

    with Stack(directory=Path("/tmp/somewhere"), ports=FreePorts()) as stack:
        httpx.get(stack.url("web"))

`environment` overrides single variables. DATABASE_URL, BROKER_URL or CACHE_URL in it: that server, none embedded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from honcho.environ import parse_procfile

from config.queues import WORKERS
from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.environment import variables_clean, variables_offered
from project.local.errors import ServiceFailed
from project.local.ports import HOST, Ports
from project.local.postgres import Postgres
from project.local.prepared_note import PreparedNote
from project.local.readiness import NODES, probes_make, wait_until_ready
from project.local.server import Server
from project.local.supervisor import Supervisor
from project.local.valkey import BrokerValkey, CacheValkey

EMBEDDED: Final[dict[str, tuple[str, type[Server]]]] = {
    "DATABASE_URL": ("postgres", Postgres),
    "BROKER_URL": ("valkey_broker", BrokerValkey),
    "CACHE_URL": ("valkey_cache", CacheValkey),
}
WITH_PORT: Final = ("web", "flower", "payment_sandbox", "supplier_sandbox", "smtp")

# They use no table, so they start while the database is made ready.
EARLY: Final = ("payment_sandbox", "supplier_sandbox", "smtp", "flower")

PREPARED_WITHIN: Final = timedelta(minutes=3)
GRACE: Final = timedelta(seconds=15)

Report = Callable[[str, float], None]


def report_nothing(_what: str, _seconds: float) -> None:
    """For those who don't want to hear of the stages."""


class Stack:
    """Everything that runs. Names of processes are the Procfile's; names of servers are those of EMBEDDED."""

    def __init__(
        self,
        *,
        directory: Path,
        ports: Ports,
        environment: Mapping[str, str] | None = None,
        report: Report = report_nothing,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.directory = directory.resolve()
        self.logs, self.pidfiles = self.directory / "log", self.directory / "run"
        self._given, self._report = dict(environment or {}), report
        self.given = [variable for variable in EMBEDDED if variable in self._given]
        embedded = [name for variable, (name, _) in EMBEDDED.items() if variable not in self._given]
        self.ports = {name: ports.pick(name) for name in (*WITH_PORT, *embedded)}
        self.servers = {variable: self._server(variable) for variable in EMBEDDED if variable not in self._given}
        self.environment: dict[str, str] = {}
        self._note: PreparedNote | None = None
        self._prepared = False
        self._say = say
        self.supervisor = Supervisor([], say=say)

    def url(self, name: str) -> str:
        """The HTTP address of the service *name*, without a slash at its end."""
        return f"http://{HOST}:{self.ports[name]}"

    def place(self, name: str) -> str:
        """Where the process *name* of the Procfile is to be found, or what it does; for a person."""
        if name == "smtp":
            return f"smtp://{HOST}:{self.ports[name]}, mails are kept in {self.mail}"
        if name in self.ports:
            return self.url(name)
        if name == "relay":
            return "sends what is committed"
        return f"queues {', '.join(WORKERS[NODES[name]])}" if NODES[name] in WORKERS else "sends what is due"

    @property
    def mail(self) -> Path:
        """Where the SMTP sink keeps the mails; read them with `smtp_sink.read_mails`."""
        return self.directory / "mail"

    def process(self, name: str) -> Child:
        """The process of the Procfile's line *name*."""
        return self.supervisor.children[name]

    def start(self) -> Self:
        """Start everything and wait until it answers. Raises ServiceFailed; nothing is left running then."""
        try:
            self._start()
        except BaseException:
            self.stop(grace=timedelta(seconds=3))
            raise
        return self

    def settle(self) -> None:
        """Once all answer: prepare the database if that it is so was only taken for granted.

        It may have been changed by hand since. Raises ServiceFailed; the next start prepares it first, then.
        """
        if not self._prepared:
            try:
                self._prepare()
            except ServiceFailed:
                if self._note:
                    self._note.take()
                raise

    def tend(self) -> None:
        """To be called now and then: starts again what died. Raises ServiceFailed for what can't be kept running."""
        for server in self.servers.values():
            if not server.alive:
                advice = f"read {server.log}, and start again: its data is kept"
                raise ServiceFailed(server.name, "ended by itself", server.child.log_tail(), advice)
        self.supervisor.tend()

    def stop(self, *, grace: timedelta = GRACE, hurried: Callable[[], bool] = lambda: False) -> None:
        """Let the processes finish for at most *grace*, or until *hurried*, then stop the servers."""
        self.supervisor.stop(grace=grace, hurried=hurried)
        for server in reversed(self.servers.values()):
            server.stop()

    def run_python(self, name: str, *arguments: str) -> None:
        """Run Python with *arguments* in this stack's environment, its output in the log *name*.

        Raises ServiceFailed when it ends with anything but 0.
        """
        child = self._child(name, [sys.executable, *arguments])
        child.start()
        try:
            ended = child.ended(within=PREPARED_WITHIN)
        finally:
            child.bury()
        if not ended or child.exit_code:
            reason = f"ended with code {child.exit_code}" if ended else f"took longer than {PREPARED_WITHIN}"
            raise ServiceFailed(name, reason, child.log_tail(), f"correct what {child.log} tells, and start again")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        for log in self.logs.glob("*.log"):
            if log.name != "install.log":
                log.unlink()
        for server in self.servers.values():
            began = time.monotonic()
            server.start()
            self._report(f"{server.name:16} {HOST}:{server.port}", time.monotonic() - began)
        self.environment = {
            **variables_clean(),
            **variables_offered(self.directory, self.ports),
            **{variable: server.url for variable, server in self.servers.items()},
            **self._given,
        }
        commands = parse_procfile((PROJECT_ROOT / "Procfile").read_text()).processes
        children = [self._child(name, command) for name, command in commands.items()]
        self.supervisor = Supervisor(children, say=self._say)
        self.supervisor.start(EARLY)
        began = time.monotonic()
        if not self._is_known_to_be_prepared():
            self._prepare()
            self._report("database migrated, catalogue and schedules in place", time.monotonic() - began)
        self.supervisor.start(name for name in commands if name not in EARLY)
        ping = self._child("ping", [sys.executable, "-m", "project.local.ping", *NODES.values()])
        ping.start()
        try:
            wait_until_ready(
                self.supervisor.children,
                probes_make(self.ports, ping, self.logs / "relay.log"),
                answered=lambda name: self._report(f"{name:16} {self.place(name)}", time.monotonic() - began),
            )
        finally:
            ping.kill()
        if self._note:
            self._note.leave()

    def _is_known_to_be_prepared(self) -> bool:
        server = self.servers.get("DATABASE_URL")
        if server is None:  # somebody's own, which others change, too
            return False
        self._note = PreparedNote(server.directory, self.environment)
        return self._note.take()

    def _prepare(self) -> None:
        self.run_python("prepare", "-m", "project.local.prepare")
        self._prepared = True

    def _child(self, name: str, command: str | list[str]) -> Child:
        return Child(
            name=name,
            command=command,
            environment=self.environment,
            directory=PROJECT_ROOT,
            log=self.logs / f"{name}.log",
            pidfiles=self.pidfiles,
        )

    def _server(self, variable: str) -> Server:
        name, kind = EMBEDDED[variable]
        return kind(
            directory=self.directory / name,
            port=self.ports[name],
            name=name,
            log=self.logs / f"{name}.log",
            pidfiles=self.pidfiles,
        )
