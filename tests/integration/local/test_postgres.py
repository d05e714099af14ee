"""The embedded PostgreSQL: starting, stopping, and every way in which the last run may have ended."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from project.local.errors import ServiceFailed
from project.local.ports import HOST, FreePorts
from project.local.postgres import DATABASE, Postgres
from project.local.unprivileged import as_ordinary_user
from project.local.waiting import wait_until
from tests.servers.processes import family, still_running


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A server that has not been started, with no data yet."""
    server = Postgres(directory=tmp_path / "postgres", port=FreePorts().pick("postgres"))
    yield server
    server.kill()


def remember(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE remembered (id int)")


def remembers(postgres: Postgres) -> bool:
    with psycopg.connect(postgres.url) as connection:
        return connection.execute("SELECT to_regclass('remembered')").fetchone() != (None,)


def test_it_is_version_18_and_has_the_projects_database(postgres: Postgres) -> None:
    """Development happens on the database of production."""
    with postgres, psycopg.connect(postgres.url) as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.info.dbname == DATABASE


def test_data_is_kept_when_it_is_stopped(postgres: Postgres) -> None:
    """A second `./run up` finds the orders of the first."""
    with postgres:
        remember(postgres)
    with postgres:
        assert remembers(postgres)


def test_stopping_does_not_wait_for_clients(postgres: Postgres) -> None:
    """A forgotten psql must not hold up Ctrl-C."""
    postgres.start()
    with closing(psycopg.connect(postgres.url)) as connection:
        connection.execute("SELECT 1")
        pids = family(postgres.child.pid)
        postgres.stop()
        assert postgres.child.exit_code == 0
    assert still_running(pids) == []


def test_data_is_kept_and_nothing_is_left_when_it_is_killed(postgres: Postgres) -> None:
    """SIGKILL leaves the lock file and shared memory behind; the next start copes with both."""
    postgres.start()
    remember(postgres)
    pids = family(postgres.child.pid)
    assert len(pids) > 1
    postgres.kill()
    assert wait_until(lambda: not still_running(pids), within=timedelta(seconds=60))
    with postgres:
        assert remembers(postgres)


def test_a_lock_file_that_names_some_other_process_does_not_matter(postgres: Postgres) -> None:
    """After a restart of the machine the number in it may be anybody's. PostgreSQL itself would refuse to start."""
    with postgres:
        remember(postgres)
    lock = postgres.directory / "data" / "postmaster.pid"
    with subprocess.Popen(as_ordinary_user(["sleep", "1000"])) as stranger:
        lock.write_text(f"{stranger.pid}\n{postgres.directory}/data\n1\n{postgres.port}\n\n{HOST}\n1 1\nready\n")
        with postgres:
            assert remembers(postgres)
        assert still_running([stranger.pid])
        stranger.kill()


def test_a_server_that_was_left_running_on_the_same_data_is_ended_first(postgres: Postgres) -> None:
    """Two servers on one directory would destroy it."""
    postgres.start()
    remember(postgres)
    forgotten = family(postgres.child.pid)
    successor = Postgres(directory=postgres.directory, port=FreePorts().pick("postgres"))
    threading.Thread(target=postgres.child.ended, kwargs={"within": timedelta(minutes=1)}).start()  # as init would
    with successor:
        assert wait_until(lambda: not still_running(forgotten), within=timedelta(seconds=60))
        assert remembers(successor)


def test_an_interrupted_first_start_is_begun_anew(postgres: Postgres) -> None:
    """Ctrl-C during initdb leaves half a cluster; it must not be taken for a whole one."""
    half = postgres.directory / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with postgres:
        assert not remembers(postgres)


def test_nobody_gets_in_without_the_password(postgres: Postgres) -> None:
    """Its superuser can run programs, and other people may have accounts on this machine."""
    with postgres, pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(f"postgresql://postgres@{HOST}:{postgres.port}/postgres")
    assert (postgres.directory / "password").stat().st_mode & 0o077 == 0


def test_a_taken_port_is_told_and_nothing_is_left_running(postgres: Postgres) -> None:
    """The message names the port and says what to do."""
    with socket.create_server((HOST, postgres.port)):
        with pytest.raises(ServiceFailed, match=f"stop the program that listens on port {postgres.port}"):
            postgres.start()
        assert not postgres.alive


def test_another_server_on_its_port_is_not_taken_for_it(postgres: Postgres, tmp_path: Path) -> None:
    """One that lets us in would be migrated and written to, whoever's it is."""
    late = Postgres(directory=tmp_path / "late", port=FreePorts().pick("late"))
    with late:
        pass
    late = Postgres(directory=tmp_path / "late", port=postgres.port)
    with postgres:
        (late.directory / "password").write_text((postgres.directory / "password").read_text())
        with pytest.raises(ServiceFailed, match=f"port {postgres.port}"):
            late.start()
        assert not late.alive


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda directory: (directory / "data" / "PG_VERSION").write_text("16\n"), "written by version 16"),
        (lambda directory: (directory / "password").unlink(), "no longer its password"),
    ],
)
def test_data_that_it_can_not_use_is_left_alone(postgres: Postgres, break_it: object, words: str) -> None:
    """The message says how to go on, and nothing is removed by itself."""
    with postgres:
        remember(postgres)
    assert callable(break_it)
    break_it(postgres.directory)
    with pytest.raises(ServiceFailed, match=words) as raised:
        postgres.start()
    assert "move" in raised.value.advice
    assert (postgres.directory / "data" / "base").is_dir()
