"""The servers of one test run: one PostgreSQL and one Valkey, and what each parallel process gets of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from project.local.ports import FreePorts
from project.local.postgres import Postgres
from project.local.server import Server
from project.local.valkey import BrokerValkey


def servers_start() -> Callable[[], None]:
    """Start what DATABASE_URL, BROKER_URL and CACHE_URL don't give, and put its addresses there.

    Returns what ends it all. Raises ServiceFailed; nothing is left running then.
    """
    with ExitStack() as undo:
        directory = Path(tempfile.mkdtemp(prefix="rootstock-tests-"))
        undo.callback(shutil.rmtree, directory, ignore_errors=True)
        ports = FreePorts()

        def running(server: Server) -> Server:
            return undo.enter_context(server)

        if "DATABASE_URL" not in os.environ:
            postgres = Postgres(directory=directory / "postgres", port=ports.pick("postgres"), throwaway=True)
            os.environ["DATABASE_URL"] = running(postgres).url
        if "BROKER_URL" not in os.environ or "CACHE_URL" not in os.environ:
            valkey = BrokerValkey(directory=directory / "valkey", port=ports.pick("valkey"), name="valkey")
            os.environ.setdefault("BROKER_URL", running(valkey).url)
            os.environ.setdefault("CACHE_URL", with_database(valkey.plain_url, 1))
        return undo.pop_all().close


def share_take(worker: str) -> None:
    """Give the parallel process *worker* ("gw3") numbered databases of its own for broker and cache.

    pytest-django does the same for PostgreSQL. A broker without numbered databases is left as it was given.
    """
    number = int(worker.removeprefix("gw"))
    for variable in ("BROKER_URL", "CACHE_URL"):
        url = os.environ.get(variable, "")
        if urlsplit(plain(url)).scheme in {"redis", "rediss"}:
            first = int(urlsplit(url).path.strip("/") or 0)
            os.environ[variable] = with_database(url, first + 2 * (number + 1))


def plain(url: str) -> str:
    """The broker's *url* for a client of Redis."""
    return url.replace("+lease://", "://", 1)


def with_database(url: str, number: int) -> str:
    """The Redis *url* with another database number."""
    return urlsplit(url)._replace(path=f"/{number}").geturl()
