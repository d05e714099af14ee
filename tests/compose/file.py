"""docker-compose.yml as Docker Compose reads it: aliases resolved, variables put in, commands split into words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml

from project.env import PROJECT_ROOT

COMPOSE_FILE: Final = PROJECT_ROOT / "docker-compose.yml"
OUR_IMAGE: Final = "rootstock:local"

_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<operator>:[-?])(?P<operand>[^}]*))?\})")
_DURATION = re.compile(r"(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")


class VariableMissing(LookupError):
    """A variable that the file demands is not given; carries its name and what the file says to do."""


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """*value* with `${NAME}`, `${NAME:-default}`, `${NAME:?complaint}` and `$$` replaced, wherever text is in it."""

    def replaced(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        given = variables.get(found["name"], "")
        if not given and found["operator"] == ":?":
            raise VariableMissing(found["name"], found["operand"])
        return given or found["operand"] or ""

    match value:
        case str():
            return _VARIABLE.sub(replaced, value)
        case dict():
            return {key: interpolate(inner, variables) for key, inner in value.items()}
        case list():
            return [interpolate(inner, variables) for inner in value]
        case _:
            return value


def duration(text: str) -> timedelta:
    """`2m`, `20s` or `1m30s`. Raises ValueError for anything else."""
    found = _DURATION.fullmatch(text)
    if not found or not text:
        raise ValueError(f"not a duration: {text!r}")
    return timedelta(minutes=int(found["minutes"] or 0), seconds=int(found["seconds"] or 0))


def words(command: str | list[str]) -> list[str]:
    """A command as its words; Compose splits a line as a shell would, but runs it without one."""
    return shlex.split(command) if isinstance(command, str) else list(command)


@dataclass(frozen=True)
class Service:
    """One service, its variables already put in."""

    name: str
    spec: Mapping[str, Any]

    @property
    def ours(self) -> bool:
        """Whether it runs this project's image."""
        return bool(self.spec["image"] == OUR_IMAGE)

    @property
    def one_shot(self) -> bool:
        """Whether it is to run once and end."""
        return self.spec.get("restart") == "no"

    @property
    def command(self) -> list[str]:
        """Its words; empty where the image's own command runs."""
        return words(self.spec.get("command", []))

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        return dict(self.spec.get("environment", {}))

    @property
    def healthcheck(self) -> list[str]:
        """The words of its health check. Raises KeyError for a service without one."""
        test: list[str] = self.spec["healthcheck"]["test"]
        return {"CMD": test[1:], "CMD-SHELL": ["/bin/sh", "-c", *test[1:]]}[test[0]]

    @property
    def grace(self) -> timedelta:
        """How long it may take to stop. Raises KeyError where that is left to Docker's ten seconds."""
        return duration(self.spec["stop_grace_period"])

    @property
    def secrets(self) -> list[str]:
        """The names of the secrets that it is given."""
        return [entry if isinstance(entry, str) else entry["source"] for entry in self.spec.get("secrets", [])]


class Compose:
    """The file, read with *variables* in the place of .env."""

    def __init__(self, variables: Mapping[str, str], path: Path = COMPOSE_FILE) -> None:
        self.raw: dict[str, Any] = yaml.safe_load(path.read_text())
        self._variables = variables

    @cached_property
    def spec(self) -> dict[str, Any]:
        """Everything. Raises VariableMissing."""
        found = interpolate(self.raw, self._variables)
        assert isinstance(found, dict)
        return found

    @cached_property
    def services(self) -> dict[str, Service]:
        """All services, those of profiles as well."""
        return {name: Service(name, spec) for name, spec in self.spec["services"].items()}

    @property
    def ours(self) -> list[Service]:
        """The services that run this project's image."""
        return [service for service in self.services.values() if service.ours]
