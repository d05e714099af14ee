"""The project's Celery app is the one that is found, by whoever uses Django; what doesn't, doesn't import it."""

from __future__ import annotations

import subprocess
import sys

import pytest

FOUND = """
import django; django.setup()
from threading import Thread
from celery import current_app
print(current_app.main)
Thread(target=lambda: print(current_app.main)).start()
"""


def said(code: str) -> list[str]:
    """In a process of its own: this one has imported everything."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_it_is_found_in_every_thread_as_soon_as_django_has_started() -> None:
    """A page's `.delay()` runs in a thread of the web server. Celery would make an app up, and publish to nobody."""
    assert said(FOUND) == ["project", "project"]


@pytest.mark.parametrize("name", ["smtp_sink", "supplier_sandbox", "payment_sandbox", "up"])
def test_what_runs_beside_the_project_starts_without_it(name: str) -> None:
    """`./run up` starts all of them, and waits."""
    assert said(f"import sys, project.local.{name}; print('celery' in sys.modules)") == ["False"]
