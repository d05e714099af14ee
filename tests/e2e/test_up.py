"""`./run up` as people use it: started, looked at, mistreated, stopped."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest
from honcho.environ import parse_procfile

from config.schedules import SCHEDULES
from project.env import PROJECT_ROOT
from project.local.environment import PREFERRED_PORTS
from project.local.ports import HOST
from project.local.postgres import DATABASE, USER
from project.local.smtp_sink import read_mails
from project.local.waiting import wait_until
from tests.servers.embedded import with_database
from tests.servers.processes import family, still_running
from tests.servers.up import Up

pytestmark = pytest.mark.timeout(400)

SOON = timedelta(seconds=60)
PATIENCE = 20.0
EMBEDDED = {"postgres", "valkey_broker", "valkey_cache"}
PROCESSES = set(parse_procfile((PROJECT_ROOT / "Procfile").read_text()).processes)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One that is ready, while somebody else holds the port of the pages. The last test to use it stops it."""
    with ExitStack() as undo:
        with suppress(OSError):  # then it is taken already
            undo.enter_context(socket.create_server((HOST, PREFERRED_PORTS["web"])))
        up = Up(tmp_path_factory.mktemp("running") / "var")
        undo.callback(up.end)
        up.wait_until_ready()
        yield up


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts one in this test's directory, with variables given to it."""
    with ExitStack() as undo:

        def start(**given: str) -> Up:
            up = Up(tmp_path / "var", **given)
            undo.callback(up.end)
            return up

        yield start


CHANGE: Final = "UPDATE django_celery_beat_periodictask SET description = 'by hand' WHERE name = %s"
CHANGED: Final = "SELECT 1 FROM django_celery_beat_periodictask WHERE description = 'by hand'"


@contextmanager
def the_database(up: Up) -> Iterator[psycopg.Connection[Any]]:
    """That which it embeds, without a transaction."""
    password = (up.directory / "postgres" / "password").read_text().strip()
    place = up.said_after("postgres").partition(":")
    url = f"postgresql://{USER}:{password}@{place[0]}:{place[2]}/{DATABASE}"
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def workers_answer(pages: str) -> bool:
    """Whether each queue's worker answers now; within the second that it is given, a busy machine's may not."""
    return httpx.get(pages + "/health/workers", timeout=PATIENCE).is_success


def test_every_service_answers_where_it_said(running: Up) -> None:
    """One line a service, with its address."""
    pages, flower = running.said_after("pages"), running.said_after("Flower")
    for name in EMBEDDED | PROCESSES:
        assert re.search(rf"^· {name} +\S.* s$", running.said, re.MULTILINE), name
    assert httpx.get(pages + "/health/ready", timeout=PATIENCE).json()["ok"]
    assert wait_until(lambda: workers_answer(pages), within=SOON)
    assert httpx.get(running.said_after("payment_sandbox") + "/sandbox/health", timeout=PATIENCE).is_success
    assert httpx.get(flower, timeout=PATIENCE).status_code == 401
    password = re.search(r"user flower, password (\S+)", running.said)
    assert password
    auth = ("flower", password[1])
    assert httpx.get(flower + "/metrics", auth=auth, timeout=PATIENCE).status_code == 200
    assert httpx.post(flower + "/api/worker/shutdown/x", auth=auth, timeout=PATIENCE).status_code == 403


def test_a_taken_port_is_replaced_and_told(running: Up) -> None:
    """Somebody else's server has the usual one."""
    got = running.said_after(f"port {PREFERRED_PORTS['web']} is taken, so web gets")
    assert running.said_after("pages") == f"http://{HOST}:{got}"


def test_the_printed_password_opens_the_staff_pages(running: Up) -> None:
    """A newcomer can look at everything without reading further."""
    password = re.search(r"user staff, password (\S+)", running.said)
    assert password
    with httpx.Client(base_url=running.said_after("pages"), follow_redirects=True, timeout=PATIENCE) as client:
        client.get("/login/")
        form = {"username": "staff", "password": password[1], "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        assert client.post("/login/", data=form).is_success
        assert client.get("/ops/").status_code == 200


def test_mails_become_files(running: Up) -> None:
    """What the workers send can be read without a mailbox."""
    port = int(running.said_after("smtp").removesuffix(",").rpartition(":")[2])
    with smtplib.SMTP(HOST, port, timeout=PATIENCE) as client:
        client.sendmail("shop@example.com", ["a@example.com"], "Subject: hello\r\n\r\nthere")
    assert [mail["Subject"] for mail in read_mails(running.directory / "mail")] == ["hello"]


def test_the_secrets_are_readable_for_their_owner_alone(running: Up) -> None:
    """They open the staff pages and Flower."""
    files = list((running.directory / "secrets").iterdir())
    assert {file.name for file in files} == {"flower_password", "secret_key", "staff_password"}
    assert [file.stat().st_mode & 0o077 for file in files] == [0, 0, 0]


def test_a_second_one_says_where_the_first_is_and_ends(running: Up) -> None:
    """Two of them on one directory would take each other's data."""
    second = Up(running.directory)
    try:
        assert second.process.wait(SOON.total_seconds()) == 1
    finally:
        second.end()
    pages = re.escape(running.said_after("pages"))
    assert re.search(rf"already running at {pages} \(process {running.process.pid}\). To do: ", second.said)
    assert httpx.get(running.said_after("pages") + "/health/live", timeout=PATIENCE).is_success


@pytest.mark.parametrize("name", ["worker_critical", "web", "beat"])
def test_a_killed_process_comes_back(running: Up, name: str) -> None:
    """`kill -9` of a worker is what the README invites to."""
    first = running.pid_of(name)
    os.kill(first, signal.SIGKILL)

    def healthy_again() -> bool:
        with suppress(OSError, ValueError, httpx.HTTPError):
            return running.pid_of(name) != first and workers_answer(running.said_after("pages"))
        return False

    assert wait_until(healthy_again, within=SOON)
    assert f"{name} died with signal 9; it starts again in" in running.said


def test_ctrl_c_leaves_nothing_and_sigkill_neither_and_passwords_stay(running: Up) -> None:
    """The three things that make one trust it: it goes when told, it goes when shot, and it is the same afterwards."""
    pids, introduction = family(running.process.pid), running.said.partition("Ready after")[2]
    assert len(pids) > 20
    assert "database migrated" in running.said
    with the_database(running) as connection:
        assert connection.execute(CHANGE, [SCHEDULES[0].name]).rowcount == 1
    assert running.stop() == 0
    assert "killed" not in running.said.partition("stopping")[2]
    assert wait_until(lambda: not still_running(pids), within=SOON), running.said
    assert not list((running.directory / "run").glob("*.pid"))

    second = Up(running.directory)
    try:
        second.wait_until_ready()
        for user in ("staff", "flower"):
            password = re.search(rf"user {user}, password (\S+)", introduction)
            assert password
            assert password[0] in second.said
        assert "database migrated" not in second.said  # it was, by the first, and nothing has changed
        with the_database(second) as connection:  # yet what was changed by hand is put right, now that all is ready
            assert wait_until(lambda: connection.execute(CHANGED).rowcount == 0, within=SOON)
        pids = family(second.process.pid)
        second.process.kill()
        assert wait_until(lambda: not still_running(pids), within=SOON)
    finally:
        second.end()


def test_ctrl_c_while_it_starts_ends_what_had_been_started(begin: Callable[..., Up]) -> None:
    """The moment at which people notice that they are in the wrong directory."""
    up = begin()
    assert wait_until(lambda: "valkey_cache" in up.said, within=SOON)
    pids = family(up.process.pid)
    assert up.stop() == 0
    assert wait_until(lambda: not still_running(pids), within=SOON)
    assert "Traceback" not in up.said


def test_given_servers_are_used_and_none_is_embedded(begin: Callable[..., Up]) -> None:
    """The same command works against the databases of a team; and a closed terminal stops it like Ctrl-C."""
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE given_to_up")
    up = begin(
        DATABASE_URL=f"{server}/given_to_up",
        BROKER_URL=with_database(os.environ["BROKER_URL"], 250),
        CACHE_URL=with_database(os.environ["CACHE_URL"], 251),
    )
    up.wait_until_ready()
    for variable in ("DATABASE_URL", "BROKER_URL", "CACHE_URL"):
        assert f"{variable} is given, so that server is used" in up.said
    noted = {file.stem for file in (up.directory / "run").glob("*.pid")}
    assert noted == PROCESSES
    assert httpx.get(up.said_after("pages") + "/health/ready", timeout=PATIENCE).json()["ok"]
    pids = family(up.process.pid)
    assert up.stop(signal.SIGHUP) == 0
    assert wait_until(lambda: not still_running(pids), within=SOON)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP DATABASE given_to_up WITH (FORCE)")


def test_a_database_that_can_not_be_reached_is_told_in_one_line_with_what_to_do(begin: Callable[..., Up]) -> None:
    """And what had been started until then is ended."""
    up = begin(DATABASE_URL=f"postgresql://nobody@{HOST}:1/nowhere")
    assert up.process.wait(SOON.total_seconds()) == 1
    assert up.said.rstrip().splitlines()[-1].startswith("To do: ")
    assert "prepare ended with code 1" in up.said
    assert wait_until(lambda: not list((up.directory / "run").glob("*.pid")), within=SOON)
