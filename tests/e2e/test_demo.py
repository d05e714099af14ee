"""`./run demo` as people use it: it ends by itself, it is right, and it leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from project.env import PROJECT_ROOT

DEMO = [sys.executable, "-m", "project.local.demo"]


def test_the_demo_ends_well_and_leaves_no_process_behind(tmp_path: Path) -> None:
    """Six orders hold one of each kind: fulfilled, timed out, out of stock, declined."""
    photos = tmp_path / "photos"
    photos.mkdir()
    original = PROJECT_ROOT / "project" / "local" / "demo" / "photos" / "rocket.jpg"
    (photos / "rocket.jpg").write_bytes(original.read_bytes())
    ended = subprocess.run(
        [*DEMO, "--orders", "6", "--photos", str(photos)],
        cwd=PROJECT_ROOT,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "every figure is as it must be" in ended.stdout
    assert "rocket.jpg" in ended.stdout
    left = [process.pid for process in psutil.process_iter(["cmdline"]) if _mentions(process, tmp_path)]
    assert not left
    assert not list(tmp_path.glob("rootstock-demo-*"))


def test_bad_input_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """No server, no half a minute: a sentence and exit code 2."""
    for arguments, told in (
        (["--photos", str(tmp_path / "nowhere")], "is not a directory"),
        (["--photos", str(tmp_path)], "holds no pictures"),
        (["--orders", "-3"], "is not a number"),
    ):
        ended = subprocess.run(
            [*DEMO, *arguments], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert (ended.returncode, ended.stdout) == (2, "")
        assert told in ended.stderr


def _mentions(process: psutil.Process, directory: Path) -> bool:
    return any(str(directory) in word for word in process.info["cmdline"] or [])
