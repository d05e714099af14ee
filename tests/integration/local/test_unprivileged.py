"""A program that refuses root, started by root: it must find its own files below a directory that is root's alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from project.local.unprivileged import as_ordinary_user


def test_a_program_below_a_private_directory_is_found_by_access(tmp_path: Path) -> None:
    """A checkout below /root, or in a directory that `mktemp` made. PostgreSQL asks `access()` for its programs."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    program = Path(shutil.copy(shutil.which("true") or "/bin/true", private / "program"))
    ask = f"import os; print(os.access({str(program)!r}, os.X_OK | os.R_OK))"

    answer = subprocess.run(as_ordinary_user([sys.executable, "-c", ask]), capture_output=True, text=True, check=True)

    assert answer.stdout == "True\n"
