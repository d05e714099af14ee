"""Without a Chromium: skipped where somebody develops, a failure where the gate stands."""

from __future__ import annotations

import subprocess
import sys

import pytest

from project.env import PROJECT_ROOT

BROWSER_TEST = "tests/browser/test_pages.py::test_a_stranger_is_asked_to_log_in"


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_a_missing_chromium_is_skipped_locally_and_fails_in_ci(ci: str, outcome: str) -> None:
    """A gate that skips what it can't run would be green for ever."""
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "--import-mode=importlib", BROWSER_TEST],
        cwd=PROJECT_ROOT,
        env={"PATH": "/nowhere", "CI": ci},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert outcome in finished.stdout
    assert (finished.returncode == 0) == (not ci)
    if ci:
        assert "no Chromium on PATH: install one" in finished.stdout
