"""The Dockerfile and what it takes from the project."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import PurePosixPath

import pytest

from tests.compose.file import Compose
from tests.compose.image import DOCKERFILE, copied, ignore_rules, reaches_builder, stages


def test_the_image_is_built_in_two_stages_on_one_pinned_base() -> None:
    """What only building needs stays behind; packages built on another base might not run."""
    build, final = stages(DOCKERFILE.read_text())

    assert build.base == f"{final.base} AS build"
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", final.base)
    assert [rest for rest in final.all("COPY") if rest.startswith("--from=build")] == [
        "--from=build /opt/venv /opt/venv"
    ]


def test_every_package_comes_with_its_hash_and_as_a_wheel() -> None:
    """So an altered package is refused, and no compiler is needed in either stage."""
    text = DOCKERFILE.read_text()
    (install,) = [rest for rest in stages(text)[0].all("RUN") if "pip install" in rest]

    assert {"--require-hashes", "--only-binary=:all:"} <= set(shlex.split(install))
    assert "apt-get" not in text


def test_nothing_runs_as_root() -> None:
    """By number, which a cluster can check without the image's /etc/passwd."""
    final = stages(DOCKERFILE.read_text())[-1]
    uid, _, gid = final.all("USER")[-1].partition(":")

    assert uid.isdecimal()
    assert int(uid) > 1000
    assert gid == uid
    keywords = [step.keyword for step in final.instructions]
    assert keywords.index("USER") > max(i for i, keyword in enumerate(keywords) if keyword in {"RUN", "COPY"})


def test_the_image_starts_what_the_service_web_starts(compose: Compose) -> None:
    """In exec form: a shell between would not pass SIGTERM on."""
    assert json.loads(stages(DOCKERFILE.read_text())[-1].all("CMD")[-1]) == compose.services["web"].command


def test_the_values_for_building_stay_in_the_one_command_that_needs_them() -> None:
    """ENV and ARG would be kept in the image, and a forgotten variable would go unnoticed."""
    for stage in stages(DOCKERFILE.read_text()):
        assert stage.all("ARG") == []
        assert (
            not {"SECRET_KEY", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "STRIPE_API_KEY"} & stage.environment.keys()
        )


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        "var/deploy/secrets/secret_key",
        "var/secrets/secret_key",
        "tests/conftest.py",
        ".venv/bin/python",
        "requirements/test.txt",
        "project/local/postgres.py",
        "project/local/demo/photos/coffee.png",
        "apps/orders/__pycache__/models.cpython-311.pyc",
        "project/.secret",
    ],
)
def test_what_the_image_does_not_need_does_not_reach_the_builder(path: str) -> None:
    """Secrets and history least of all."""
    assert not reaches_builder(PurePosixPath(path), ignore_rules())


def test_everything_that_the_services_name_is_in_the_image(compose: Compose) -> None:
    """Modules after -m and scripts, in commands and health checks."""
    there = {str(path) for path in copied()}
    for service in compose.ours:
        lines = [service.command] + ([] if service.one_shot else [service.healthcheck])
        for line in lines:
            if line[:2] == ["python", "-m"]:
                module = line[2].replace(".", "/")
                assert {f"{module}.py", f"{module}/__main__.py"} & there, f"{service.name}: {line[2]}"
            elif line[0] == "python":
                assert line[1] in there, f"{service.name}: {line[1]}"
    assert "flowerconfig.py" in there, "without it Flower starts, and asks nobody for a password"


def test_each_copy_finds_something() -> None:
    """A folder that was renamed fails here, before it fails in a build."""
    sources = {str(path).split("/")[0] for path in copied()}
    named = {
        source.split("/")[0]
        for rest in stages(DOCKERFILE.read_text())[-1].all("COPY")
        if not rest.startswith("--from=")
        for source in shlex.split(rest)[:-1]
    }

    assert sources == named
