"""The services of docker-compose.yml as processes of this machine.

Each gets the command, the variables, the secrets and the health check that the file gives it, and runs the files that
the image would hold. Translated is only what a container would have to itself: `service:port` becomes a free port of
127.0.0.1, and /run/secrets, /tmp, /srv and the volumes become directories. Nothing else of the surroundings gets in.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.ports import HOST, FreePorts
from tests.compose.file import Compose, Service
from tests.compose.image import DOCKERFILE, lay_out, stages


class LocalStack:
    """Where the services' files and ports are. `directory` is given to nobody else."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self._ports: dict[tuple[str, str], int] = {}
        self._free = FreePorts()
        self.secrets = self._make_secrets()
        self.compose = Compose({"SECRETS": str(self.secrets)})
        hosts = "|".join(self.compose.services)
        self._addresses = re.compile(rf"\b(?P<host>{hosts}):(?P<port>\d+)\b")
        self._ports_too = re.compile(rf"{self._addresses.pattern}|(?<![\w.])(?P<own>\d{{4,5}})(?![\w.])")
        self._final_stage = stages(DOCKERFILE.read_text())[-1]
        self.root = self._translate_path(self._final_stage.directory, "image")
        lay_out(self.root)
        for secret in self.secrets.iterdir():
            secret.write_text(self._value(secret.read_text(), ""))

    def port(self, service: str, port: int) -> int:
        """The port of 127.0.0.1 that stands for *service*:*port*."""
        return self._port(service, str(port))

    def command(self, service: Service) -> list[str]:
        """The words that start *service* here."""
        return [self._word(word, service.name) for word in service.command]

    def environment(self, service: Service) -> dict[str, str]:
        """The image's variables, and over them the service's own."""
        bare = {"PATH": f"{self.directory / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        image = self._final_stage.environment if service.ours else {}
        given = {**{name: value for name, value in image.items() if name != "PATH"}, **service.environment}
        return bare | {name: self._value(value, service.name) for name, value in given.items()}

    def process(
        self,
        name: str,
        *,
        command: Sequence[str] | None = None,
        variables: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Child:
        """Service *name*, not started yet. *command* stands in for its own, *variables* come on top of its own."""
        service = self.compose.services[name]
        self.volume("/tmp", name)
        return Child(
            name=name,
            command=command or self.command(service),
            environment={**self.environment(service), **(variables or {})},
            directory=self.root,
            log=self.log(name),
            stop_signal=stop_signal,
        )

    def check(self, name: str, *, replace: Mapping[str, str] | None = None) -> str | None:
        """What the health check of service *name* complains of, None when it is well.

        *replace* exchanges parts of the check, for tests that can't wait as long as it does.
        """
        service = self.compose.services[name]
        words = [self._word(word, name) for word in service.healthcheck]
        for old, new in (replace or {}).items():
            assert any(old in word for word in words), f"{old!r} is not in {words}"
            words = [word.replace(old, new) for word in words]
        result = subprocess.run(
            words, env=self.environment(service), cwd=self.root, capture_output=True, text=True, timeout=30, check=False
        )
        return None if result.returncode == 0 else f"{result.returncode}: {result.stdout}{result.stderr}"

    def log(self, name: str) -> Path:
        """Where service *name* writes."""
        return self.directory / "log" / f"{name}.log"

    def volume(self, mount_point: str, name: str) -> Path:
        """The directory in the place of *mount_point* in service *name*."""
        path = self._translate_path(mount_point, name)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def build(self) -> None:
        """Run the image's last commands: those that work on the project's files."""
        environment = self.environment(self.compose.services["migrate"])
        image = {name: environment[name] for name in ("PATH", "LC_ALL", *self._final_stage.environment)}
        keywords = [step.keyword for step in self._final_stage.instructions]
        for step in self._final_stage.instructions[keywords.index("WORKDIR") :]:
            if step.keyword == "RUN":
                command = ["/bin/sh", "-euc", step.rest]
                subprocess.run(command, env=image, cwd=self.root, check=True, capture_output=True)

    def stand_in(self, program: str, script: str) -> None:
        """Put a shell *script* in the place of a *program* that only the service's own image has."""
        path = self.directory / "bin" / program
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def _make_secrets(self) -> Path:
        """Run deploy/make-secrets itself, on a copy of it, as it also writes an .env beside the folder it is in."""
        script = self.directory / "project" / "deploy" / "make-secrets"
        script.parent.mkdir(parents=True)
        shutil.copy2(PROJECT_ROOT / "deploy" / "make-secrets", script)
        subprocess.run([script], check=True, capture_output=True)
        return self.directory / "project" / "var" / "deploy" / "secrets"

    def _word(self, text: str, service: str) -> str:
        """A word of a command: besides what `_value` does, a bare number that can be a port is the service's own."""

        def address(found: re.Match[str]) -> str:
            return str(self._port(service, found["own"])) if found["own"] else self._address(found)

        return self._path(self._ports_too.sub(address, text), service).replace("0.0.0.0", HOST)  # noqa: S104

    def _value(self, text: str, service: str) -> str:
        """The value of a variable, or the content of a secret."""
        return self._path(self._addresses.sub(self._address, text), service)

    def _path(self, text: str, service: str) -> str:
        text = re.sub(r"^/(tmp|srv|books)\b", lambda found: str(self._translate_path(found[0], service)), text)
        return text.replace("/run/secrets/", f"{self.secrets}/")

    def _translate_path(self, path: str, service: str) -> Path:
        owner = "image" if path.startswith("/srv") else service
        return self.directory / "root" / owner / path.strip("/")

    def _address(self, found: re.Match[str]) -> str:
        return f"{HOST}:{self._port(found['host'], found['port'])}"

    def _port(self, service: str, port: str) -> int:
        key = (service, port)
        if key not in self._ports:
            self._ports[key] = self._free.pick(f"{service}:{port}")
        return self._ports[key]
