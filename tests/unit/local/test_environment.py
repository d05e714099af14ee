"""The three layers of variables that a stack's processes get."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from project.env import VARIABLES
from project.local.environment import PREFERRED_PORTS, variables_clean, variables_given, variables_offered


def test_a_stack_gets_nothing_that_was_exported_for_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo must not write into the bucket or the database that somebody works with."""
    for name in ("S3_BUCKET", "DATABASE_URL", "DJANGO_SETTINGS_MODULE", "FLOWER_BASIC_AUTH"):
        monkeypatch.setenv(name, "somebody's")
    monkeypatch.setenv("LANG", "C.UTF-8")
    clean = variables_clean()
    assert "somebody's" not in clean.values()
    assert clean["LANG"] == "C.UTF-8"


def test_the_programs_of_this_environment_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """`celery` and `gunicorn` are named in the Procfile without their directory."""
    monkeypatch.setenv("PATH", "/elsewhere")
    assert variables_clean()["PATH"] == f"{Path(sys.executable).parent}:/elsewhere"


def test_what_is_given_on_purpose_is_found_and_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`DATABASE_URL= ./run up` means: embed one."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BROKER_URL", "amqp://broker")
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("UNRELATED", "x")
    given = variables_given()
    assert given["BROKER_URL"] == "amqp://broker"
    assert not {"DATABASE_URL", "UNRELATED"} & given.keys()


def test_what_is_offered_points_into_the_directory_and_at_its_ports(tmp_path: Path) -> None:
    """Two stacks in two directories share nothing."""
    offered = variables_offered(tmp_path, {name: 40_000 + i for i, name in enumerate(PREFERRED_PORTS)})
    assert not any(str(port) in " ".join(offered.values()) for port in PREFERRED_PORTS.values())
    for name in ("MEDIA_ROOT", "STATIC_ROOT", "MAIL_DIRECTORY", "PAYMENT_SANDBOX_BOOKS"):
        assert offered[name].startswith(str(tmp_path))


def test_secrets_differ_between_directories_and_stay_within_one(tmp_path: Path) -> None:
    """Sessions survive a restart; a password that was seen elsewhere opens nothing here."""
    ports = dict(PREFERRED_PORTS)
    secret = {"SECRET_KEY", "STAFF_PASSWORD", "FLOWER_BASIC_AUTH"}
    first, again, other = (variables_offered(tmp_path / name, ports) for name in ("a", "a", "b"))
    assert {name: first[name] for name in secret} == {name: again[name] for name in secret}
    assert all(first[name] != other[name] for name in secret)
