"""The README tells the truth: its commands exist, its links lead somewhere, its code is the code."""

from __future__ import annotations

import re
import subprocess

import pytest

from project.env import PROJECT_ROOT

README = (PROJECT_ROOT / "README.md").read_text()


def test_every_command_it_names_is_one_of_runs() -> None:
    offered = subprocess.run([PROJECT_ROOT / "run"], capture_output=True, text=True, timeout=60, check=False)
    named = set(re.findall(r"\./run ([a-z]+)", README))
    assert {"up", "demo", "test", "check"} <= named
    assert named <= set(re.findall(r"^  ([a-z]+) ", offered.stdout, re.MULTILINE))


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_leads_to_a_file(link: str) -> None:
    assert (PROJECT_ROOT / link).is_file()


def test_the_task_it_shows_is_the_task() -> None:
    """Line for line, but for what stands between."""
    tasks = (PROJECT_ROOT / "apps" / "orders" / "tasks.py").read_text()
    shown = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert shown
    for code in shown:
        assert code in tasks


def test_every_path_it_names_exists() -> None:
    named = re.findall(r"`((?:config|tasks|tests|apps|docs|deploy)/[\w/.-]*)`", README)
    assert named
    for path in named:
        assert (PROJECT_ROOT / path).exists(), path
