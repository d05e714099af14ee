"""The heartbeat file's settings. That it beats, and stops beating, is seen on real workers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from tasks.operation.heartbeat import WorkerHeartbeat, heartbeat_file


def test_nothing_is_touched_where_nobody_asks(settings: Settings) -> None:
    """A worker at a desk leaves no file behind."""
    settings.TASKS = {"HEARTBEAT_FILE": ""}

    assert heartbeat_file() is None
    assert WorkerHeartbeat(SimpleNamespace(hub=None)).include_if(SimpleNamespace(hub=None)) is False


def test_a_directory_that_is_not_there_is_refused_at_the_start(settings: Settings, tmp_path: Path) -> None:
    """Or a worker would run, and look dead."""
    settings.TASKS = {"HEARTBEAT_FILE": str(tmp_path / "missing" / "heartbeat")}

    with pytest.raises(ImproperlyConfigured, match=r"nothing can be written to .*missing"):
        WorkerHeartbeat(SimpleNamespace(hub=object()))


def test_a_pool_without_an_event_loop_is_refused_at_the_start(settings: Settings, tmp_path: Path) -> None:
    """Its file could be touched from a thread only, which goes on when the worker hangs."""
    settings.TASKS = {"HEARTBEAT_FILE": str(tmp_path / "heartbeat")}
    worker = SimpleNamespace(hub=None)

    with pytest.raises(ImproperlyConfigured, match="use the prefork pool"):
        WorkerHeartbeat(worker).include_if(worker)


def test_a_setting_that_is_no_text_is_refused(settings: Settings) -> None:
    """`True` for "yes, please" names no file."""
    settings.TASKS = {"HEARTBEAT_FILE": True}

    with pytest.raises(ImproperlyConfigured, match="expected text"):
        heartbeat_file()
