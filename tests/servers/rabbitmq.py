"""A RabbitMQ node of its own: its name, cookie, data, ports and the port mapper are private to the run.

Debian's package, whose `rabbitmq-server` on PATH insists on the system's user, is called where it really is.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Final

import amqp

from project.local.child import Child
from project.local.errors import ServiceFailed
from project.local.ports import HOST, FreePorts
from project.local.server import SERVER_ENVIRONMENT, Server

PROGRAMS: Final = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),)
CONTROL: Final = "rabbitmqctl"  # beside the program
ADVICE: Final = "install it (Debian, Ubuntu: apt install rabbitmq-server; its own service need not run)"

# Bytes, so that a small machine does not count as one that is running full.
CONFIGURATION: Final = """\
listeners.tcp.1 = {host}:{port}
loopback_users = none
log.console = true
log.file = false
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
"""


class PortMapper(Server):
    """Erlang's `epmd`, in the foreground: started by a node it would go to the background, and outlive us."""

    @property
    def url(self) -> str:
        """Where nodes look each other up."""
        return f"epmd://{HOST}:{self.port}"

    def _prepare(self) -> Child:
        return Child(
            name=self.name,
            command=[_program("epmd"), "-port", str(self.port), "-address", HOST],
            environment=SERVER_ENVIRONMENT,
            directory=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
            return True
        return False


class RabbitMQ(Server):
    """One node, with the user guest and the virtual host "/"."""

    ready_within: ClassVar[timedelta] = timedelta(seconds=120)  # 16 s where twenty processes want two cores

    def __init__(self, *, directory: Path, ports: FreePorts) -> None:
        super().__init__(directory=directory, port=ports.pick("rabbitmq"), name="rabbitmq")
        self._distribution_port = ports.pick("rabbitmq distribution")
        self._mapper = PortMapper(directory=self.directory, port=ports.pick("epmd"), name="epmd")
        self._hosts = itertools.count(1)

    @property
    def url(self) -> str:
        """As BROKER_URL takes it."""
        return f"amqp://guest:guest@{HOST}:{self.port}//"

    def empty_virtual_host(self) -> str:
        """The URL of a virtual host that nobody has had: what others left, dead letters above all, never gets there."""
        name = f"suite-{next(self._hosts)}"
        self._control("add_vhost", name)
        self._control("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return f"amqp://guest:guest@{HOST}:{self.port}/{name}"

    def start(self) -> RabbitMQ:
        """Start the port mapper, then the node. Raises ServiceFailed; nothing is left running then."""
        self._mapper.start()
        try:
            super().start()
        except BaseException:
            self._mapper.kill()
            raise
        return self

    def stop(self) -> None:
        """Stop both."""
        super().stop()
        self._mapper.kill()

    def kill(self) -> None:
        """SIGKILL the node as a power cut would. It can be started again on its data."""
        super().kill()
        self._mapper.kill()

    def _prepare(self) -> Child:
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(os.urandom(16).hex())
            cookie.chmod(0o400)
        (self.directory / "rabbitmq.conf").write_text(CONFIGURATION.format(host=HOST, port=self.port))
        (self.directory / "enabled_plugins").write_text("[].")
        return Child(
            name=self.name,
            command=[str(rabbitmq_program())],
            environment=self._environment(home),
            directory=self.directory,
            log=self.log,
        )

    def _control(self, *command: str) -> None:
        subprocess.run(
            [str(rabbitmq_program().with_name(CONTROL)), *command],
            env=self._environment(self.directory / "home"),
            check=True,
            capture_output=True,
            timeout=60,
        )

    def _environment(self, home: Path) -> dict[str, str]:
        return {
            **SERVER_ENVIRONMENT,
            "HOME": str(home),
            "ERL_EPMD_PORT": str(self._mapper.port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": f"suite{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.directory / "none.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _answers(self) -> bool:
        try:
            with amqp.Connection(f"{HOST}:{self.port}", "guest", "guest", connect_timeout=2):
                return True
        except (OSError, amqp.AMQPError):  # not listening yet, or still booting
            return False


def rabbitmq_program() -> Path:
    """The program itself. Raises ServiceFailed where it isn't installed."""
    found = [path for path in PROGRAMS if path.exists()]
    if not found or shutil.which("epmd") is None:
        raise ServiceFailed("rabbitmq", "is not installed", "", ADVICE)
    return found[0]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ServiceFailed(name, "is not installed", "", ADVICE)
    return found
