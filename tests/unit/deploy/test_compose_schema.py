"""docker-compose.yml against the Compose specification."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from project.env import PROJECT_ROOT
from tests.compose.file import COMPOSE_FILE, Compose

# Of the Compose specification, https://github.com/compose-spec/compose-spec, under the licence beside it.
SCHEMA = Path(__file__).parent / "schema" / "compose-spec.json"


def complaints(spec: dict[str, Any]) -> list[str]:
    """What the specification has against *spec*."""
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(spec)]


@pytest.fixture
def spec() -> dict[str, Any]:
    """The file as it stands, to be spoilt."""
    return copy.deepcopy(Compose({"SECRETS": "/secrets"}).spec)


def test_the_file_is_what_the_specification_allows(spec: dict[str, Any]) -> None:
    """With the variables put in, as Compose checks it."""
    assert complaints(spec) == []


def test_a_misspelt_key_would_be_found(spec: dict[str, Any]) -> None:
    """Guards the test above: the schema forbids what it doesn't know."""
    spec["services"]["web"]["healthchek"] = spec["services"]["web"].pop("healthcheck")

    assert any("healthchek" in complaint for complaint in complaints(spec))


def test_a_value_of_the_wrong_kind_would_be_found(spec: dict[str, Any]) -> None:
    """The same for what a key holds."""
    spec["services"]["postgres"]["read_only"] = ["yes"]

    assert complaints(spec) != []


def test_docker_compose_reads_it_where_there_is_one() -> None:
    """Its own reading needs no engine. Where the plugin isn't installed, the schema has to do."""
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        subprocess.run(
            [docker, "compose", "--file", COMPOSE_FILE, "--profile", "rabbitmq", "config", "--quiet"],
            env={"PATH": "/usr/bin:/bin", "SECRETS": "/secrets"},
            cwd=PROJECT_ROOT,
            check=True,
        )
