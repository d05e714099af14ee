"""`import tasks`: what it offers, and what it does without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tasks

ROOT = Path(tasks.__file__).parent.parent


def run_python(program: str) -> str:
    """Run *program* in a Python of its own, without any setting; return what it printed."""
    finished = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_what_is_named_is_what_loads() -> None:
    """A name in `__all__` that doesn't load breaks `from tasks import *` in somebody else's project."""
    loaded = {name: getattr(tasks, name) for name in tasks.__all__}

    assert loaded.keys() == tasks._HOMES.keys()
    assert all(getattr(value, "__name__", None) == name for name, value in loaded.items())
    assert tasks.__all__ == sorted(tasks.__all__)


def test_what_is_not_named_is_not_there() -> None:
    """Python's own sentence, so that `hasattr` and typos behave as everywhere."""
    with pytest.raises(AttributeError, match="module 'tasks' has no attribute 'tusk'"):
        _ = tasks.tusk


def test_importing_it_needs_neither_settings_nor_the_app_registry_nor_celery() -> None:
    """A settings module or a script may import it before Django is set up."""
    program = "import sys, tasks; print(sorted({'django', 'celery', 'kombu', 'redis'} & sys.modules.keys()))"

    assert run_python(program) == "[]\n"


def test_what_authors_of_services_need_loads_before_the_app_registry_and_without_settings() -> None:
    """Errors and policies are imported from everywhere, settings modules and models among it."""
    program = """
from tasks import KeyConflict, PayloadRefused, Permanent, RetryPolicy, Transient, UnknownTask
import sys
print(sorted({'django', 'celery', 'kombu', 'redis'} & sys.modules.keys()))
"""
    assert run_python(program) == "[]\n"


@pytest.mark.parametrize(
    "module",
    [
        "errors",
        "options",
        "failure.backoff",
        "failure.budget",
        "failure.circuit_state",
        "failure.retry_after",
        "enqueue.payloads",
    ],
)
def test_the_pure_modules_load_neither_django_nor_celery(module: str) -> None:
    """They are words and values; a script may use them without the rest."""
    program = (
        f"import sys, tasks.{module}; print(sorted({{'django', 'celery', 'kombu', 'redis'}} & sys.modules.keys()))"
    )

    assert run_python(program) == "[]\n"
