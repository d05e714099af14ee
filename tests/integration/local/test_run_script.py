"""`./run`: finds a Python, installs once, survives interruption and company, and always says what to do next.

It is run in a copy with empty lock files and a tiny program in place of the project, so nothing is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from project.env import PROJECT_ROOT
from project.local.environment import variables_clean
from project.local.waiting import wait_until

COMMANDS = ("up", "demo", "test", "check", "bench", "chaos", "lock")
SHELLS = [shell for shell in ("sh", "dash", "bash --posix", "busybox sh") if shutil.which(shell.split()[0])]
TOOLS = ("sh", "dirname", "date", "uname", "cmp", "mkdir", "cat", "tail", "rm", "cp")


class Checkout:
    """A copy of `run` with something small to run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name, text in {
            "requirements/local.txt": "# nothing\n",
            "requirements/test.txt": "# nothing either\n",
            "project/local/__main__.py": "import sys; print('ran', *sys.argv[1:])",
            "pytest.py": "import sys; print('tested', *sys.argv[1:])",
        }.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        shutil.copy(PROJECT_ROOT / "run", directory)

    def begin(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.directory / "run"), *arguments],
            cwd="/",  # it works from anywhere
            env=variables_clean() | {"PIP_NO_INDEX": "1"} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """What it said; it must have ended with *code*."""
        process = self.begin(*arguments, **variables)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == code, said
        return said


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Nothing is installed in it yet."""
    return Checkout(tmp_path / "a checkout")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Everything is installed in it."""
    made = Checkout(tmp_path_factory.mktemp("installed"))
    made.run("test")
    return made


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_can_read_it(shell: str) -> None:
    """It is for any POSIX shell."""
    subprocess.run([*shell.split(), "-n", str(PROJECT_ROOT / "run")], check=True)


def test_alone_it_lists_its_commands(checkout: Checkout) -> None:
    """One line each, and it needs nothing for that."""
    said = checkout.run(PATH="/usr/bin:/bin")
    listed = re.findall(r"^  ([a-z]+)  +\S", said, re.MULTILINE)
    assert tuple(listed) == COMMANDS
    assert not (checkout.directory / ".venv").exists()


@pytest.mark.parametrize("command", ["check", "lock"])
def test_help_of_its_own_commands_does_nothing_else(checkout: Checkout, command: str) -> None:
    """Somebody asks before doing."""
    assert "usage:" in checkout.run(command, "--help")


def test_an_unknown_command_says_which_there_are(checkout: Checkout) -> None:
    """The last line says what to do."""
    said = checkout.run("upp", code=1)
    assert "there is no command 'upp'" in said
    assert said.splitlines()[-1].strip().startswith("to do:")


def path_of(directory: Path, **programs: str) -> str:
    """A PATH that holds TOOLS and *programs* alone."""
    directory.mkdir()
    for tool in TOOLS:
        (directory / tool).symlink_to(shutil.which(tool) or "")
    for name, script in programs.items():
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return str(directory)


def test_without_a_python_it_says_how_to_get_one(checkout: Checkout, tmp_path: Path) -> None:
    """An old one doesn't count."""
    said = checkout.run("up", code=1, PATH=path_of(tmp_path / "bin", python3="exit 1"))
    assert "no Python 3.11" in said
    assert "to do: install one" in said.splitlines()[-1]


def test_a_python_without_venv_is_told_with_the_package_to_install(checkout: Checkout, tmp_path: Path) -> None:
    """Debian's python3 comes without ensurepip."""
    without_venv = 'case "$2" in *venv*) exit 1 ;; esac'
    path = path_of(tmp_path / "bin", **{"python3.12": without_venv})
    said = checkout.run("up", code=1, PATH=path)
    assert "python3.12 can't make a virtual environment" in said
    assert "apt install python3.12-venv" in said.splitlines()[-1]


def test_the_first_start_installs_and_the_second_does_not(installed: Checkout) -> None:
    """What `test` needs contains what `up` needs."""
    assert installed.run("up", "--help", "two words") == "ran up --help two words\n"
    assert installed.run("test", "-k", "one") == "tested -n auto --dist loadfile --no-loadscope-reorder -k one\n"


def test_a_changed_lock_file_is_installed_again(installed: Checkout) -> None:
    """After a pull the environment follows by itself."""
    lock = installed.directory / "requirements" / "local.txt"
    lock.write_text(lock.read_text() + "# changed\n")
    assert "installed the locked packages of requirements/local.txt" in installed.run("up")
    assert installed.run("up") == "ran up\n"


def test_a_failed_installation_says_why_and_is_tried_again(installed: Checkout) -> None:
    """The index was away, or the disk full."""
    lock = installed.directory / "requirements" / "local.txt"
    good = lock.read_text()
    lock.write_text(f"no-such-package==1 --hash=sha256:{'0' * 64}\n")
    said = installed.run("up", code=1)
    assert "no-such-package" in said
    assert said.splitlines()[-1].strip().startswith("to do:")
    lock.write_text(good)
    assert installed.run("up").endswith("ran up\n")


def test_an_environment_without_its_python_is_made_anew(installed: Checkout) -> None:
    """The Python that it was made with may have been removed by an upgrade."""
    (installed.directory / ".venv" / "bin" / "python").unlink()
    said = installed.run("up")
    assert ".venv is incomplete; making it anew" in said
    assert said.endswith("ran up\n")


def test_interrupted_and_run_twice_at_once_it_ends_up_whole(checkout: Checkout) -> None:
    """Ctrl-C in the middle leaves half an environment; two starts at once must not write into one another."""
    halfway = f'[ "$2" = venv ] || exec {sys.executable} "$@"; mkdir -p "$3/bin"; exec {shutil.which("sleep")} 60'
    interrupted = checkout.begin("up", PATH=path_of(checkout.directory / "halfway", **{"python3.11": halfway}))
    assert wait_until((checkout.directory / ".venv" / "bin").exists, within=timedelta(seconds=60))
    os.killpg(interrupted.pid, signal.SIGINT)
    interrupted.communicate(timeout=60)
    assert interrupted.returncode != 0

    both = [checkout.begin("up"), checkout.begin("test")]
    said = "".join(process.communicate(timeout=120)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0], said
    assert said.count("making it anew") == 1
    assert said.count("made .venv with") == 1
    assert "another ./run is installing; waiting for it" in said
    assert "ran up" in said
    assert "tested" in said


def test_killed_while_packages_are_written_it_begins_anew(installed: Checkout) -> None:
    """A package that is half there would be taken for a whole one."""
    (installed.directory / ".venv" / ".installing").touch()
    assert "making it anew" in installed.run("up")
    assert installed.run("up") == "ran up\n"
