"""deploy/make-secrets, run on a copy so that it can't touch this checkout's own."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from project.env import PROJECT_ROOT
from tests.compose.file import Compose


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that has the script and nothing else."""
    (tmp_path / "deploy").mkdir()
    shutil.copy2(PROJECT_ROOT / "deploy" / "make-secrets", tmp_path / "deploy")
    return tmp_path


def make_secrets(project: Path) -> subprocess.CompletedProcess[str]:
    """Run it from somewhere else."""
    return subprocess.run([project / "deploy" / "make-secrets"], cwd="/", capture_output=True, text=True, check=False)


def contents(project: Path) -> dict[str, str]:
    """Every secret by name."""
    return {path.name: path.read_text() for path in (project / "var" / "deploy" / "secrets").iterdir()}


def mode(path: Path) -> int:
    """Its permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_it_makes_every_secret_that_the_compose_file_mounts(project: Path, compose: Compose) -> None:
    """`up` stops at the first that is missing."""
    assert make_secrets(project).returncode == 0

    assert compose.spec["secrets"].keys() <= contents(project).keys()


def test_it_changes_nothing_that_is_there(project: Path) -> None:
    """A new database password beside an old database locks everybody out."""
    make_secrets(project)
    before = contents(project)
    (project / "var" / "deploy" / "secrets" / "grafana_password").write_text("chosen by somebody")
    (project / "var" / "deploy" / "secrets" / "s3_secret_key").unlink()

    assert make_secrets(project).returncode == 0

    after = contents(project)
    assert after["grafana_password"] == "chosen by somebody"
    assert after["s3_secret_key"] != before["s3_secret_key"]
    unchanged = before.keys() - {"grafana_password", "s3_secret_key"}
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}


def test_no_two_secrets_are_the_same_here_or_elsewhere(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever learns one has learned no other."""
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(project / "deploy", other / "deploy")
    make_secrets(project)
    make_secrets(other)

    mine, theirs = contents(project), contents(other)
    assert not set(mine.values()) & set(theirs.values())
    assert len(set(mine.values())) == len(mine)
    assert all(len(value) >= 20 for value in mine.values())


def test_only_the_owner_can_reach_them_and_every_container_can_read_them(project: Path) -> None:
    """Docker mounts single files as they are, and a container's user is another one than the owner."""
    make_secrets(project)

    directory = project / "var" / "deploy" / "secrets"
    assert mode(directory) == 0o700
    assert {mode(path) for path in directory.iterdir()} == {0o644}
    assert mode(project / ".env") == 0o600


def test_a_secret_ends_with_its_last_character(project: Path) -> None:
    """Most programs take a newline for a part of the password."""
    make_secrets(project)

    ending = [name for name, value in contents(project).items() if value.endswith("\n")]
    assert ending == ["rabbitmq_conf"], "but for RabbitMQ's configuration, which is read by lines"


def test_the_env_file_names_the_directory_and_holds_no_secret(project: Path) -> None:
    """Compose reads it, and passes what is in it on to whoever asks."""
    make_secrets(project)

    assert (project / ".env").read_text() == f'SECRETS="{project}/var/deploy/secrets"\n'


def test_an_env_file_of_somebody_s_own_is_left_alone(project: Path) -> None:
    """It says what line is missing, and ends with an error."""
    (project / ".env").write_text("WEB_PORT=8080\n")

    result = make_secrets(project)

    assert result.returncode == 1
    assert "add the line SECRETS=" in result.stderr
    assert (project / ".env").read_text() == "WEB_PORT=8080\n"
