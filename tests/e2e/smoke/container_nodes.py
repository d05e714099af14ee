"""The same nodes on an engine: pytest-celery's Redis container, and workers of the project's own image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_celery import CeleryTestWorker, CeleryWorkerContainer, RedisContainer, RedisTestBroker

from project.env import PROJECT_ROOT
from tests.e2e.smoke.nodes import BROKER_OPTIONS

IMAGE = "rootstock-smoke"
WORKDIR = "/srv/rootstock"

# Process 1 is the worker; its children are the pool's. The image has no `pgrep`.
CHILDREN_OF_1 = (
    "import glob; stats = [open(f).read() for f in glob.glob('/proc/[0-9]*/stat')]; "
    "print(*sorted(int(s.split()[0]) for s in stats if s.rpartition(')')[2].split()[1] == '1'))"
)


class PausableRedis(RedisContainer):  # type: ignore[misc] # pytest-celery has no types
    """A server that can be made to hang."""

    def pause(self) -> None:
        """Stop it where it stands."""
        self._container.pause()

    def unpause(self) -> None:
        """Let it go on."""
        self._container.unpause()


class WorkerContainer(CeleryWorkerContainer):  # type: ignore[misc] # pytest-celery has no types
    """A worker whose processes can be told apart."""

    def child_pids(self) -> list[int]:
        """The numbers of the pool's processes, as the container sees them."""
        _, output = self.exec_run(["python", "-c", CHILDREN_OF_1])
        return [int(pid) for pid in output.split()]

    def wait(self) -> int:
        """Wait for it to end; return its exit code."""
        return int(self._container.wait()["StatusCode"])


class ContainerNodes:
    """Containers on a network of their own."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._containers: list[Any] = []
        client.images.build(path=str(PROJECT_ROOT), tag=IMAGE)
        self._network = client.networks.create(IMAGE, labels={"creator": IMAGE})

    def broker(self) -> Any:
        server = PausableRedis(
            self._run(
                RedisContainer.image(),
                ["redis-server", "--protected-mode", "no", *BROKER_OPTIONS],
                ports=RedisContainer.ports(),
            )
        )
        server.ready()
        return RedisTestBroker(server)

    def worker(self, name: str, command: list[str], environment: Mapping[str, str]) -> Any:
        tests = {str(PROJECT_ROOT / "tests"): {"bind": f"{WORKDIR}/tests", "mode": "ro"}}
        # The image says nothing of these, as every place that it runs in must.
        stand_ins = {"SECRET_KEY": "smoke", "STRIPE_API_KEY": "sk_test_smoke", "PYTHONPATH": WORKDIR}
        container = self._run(IMAGE, command, environment={**stand_ins, **environment}, volumes=tests, hostname=name)
        return CeleryTestWorker(WorkerContainer(container), app=None)

    def teardown(self) -> None:
        while self._containers:
            self._containers.pop().remove(force=True)
        self._network.remove()

    def _run(self, image: str, command: list[str], **options: Any) -> Any:
        container = self._client.containers.run(image, command, detach=True, network=self._network.name, **options)
        self._containers.append(container)
        return container
