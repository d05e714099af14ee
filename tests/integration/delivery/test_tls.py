"""`rediss+lease://`: encrypted, and the server has to show who it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

import tasks.delivery  # noqa: F401 # registers the schemes
from tasks.testing.redis_process import RedisProcess
from tests.servers.certificates import Certificates


class TlsServer(RedisProcess):
    """A Redis that speaks nothing but TLS. The Valkey out of the wheel can't."""

    authority = ""

    def _start(self) -> None:
        # The last of two wins: the port that it was given is the encrypted one.
        self._command += ["--tls-port", str(self.port), "--port", "0"]
        super()._start()

    def is_ready(self) -> bool:
        """Whether it answers."""
        with Redis("localhost", self.port, ssl=True, ssl_ca_certs=self.authority) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    """One with a certificate for "localhost"."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail("there is no redis-server on the path")
        pytest.skip("there is no redis-server on the path")
    certificates = Certificates(tmp_path)
    certificates.for_name("localhost")
    file = str(tmp_path / "localhost.pem")
    options = ["--tls-cert-file", file, "--tls-key-file", file, "--tls-ca-cert-file", str(certificates.authority)]
    options += ["--tls-auth-clients", "no", "--appendonly", "yes", "--save", ""]
    server = TlsServer([program], directory=tmp_path / "server", options=options)
    server.authority = str(certificates.authority)
    server.ready()
    yield server
    server.teardown()


def test_messages_go_through_tls_and_an_unknown_server_is_refused(server: TlsServer) -> None:
    """kombu's own scheme takes any server's word unless it is told not to."""
    url = f"rediss+lease://localhost:{server.port}/0"
    with Connection(f"{url}?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={server.authority}") as connection:
        queue = connection.SimpleQueue("jobs")
        queue.put({"n": 1})
        message = queue.get(timeout=30)
        assert message.payload == {"n": 1}
        message.ack()
        queue.close()
    with Connection(url) as connection, pytest.raises(OperationalError, match="certificate verify failed"):
        connection.ensure_connection(max_retries=1)
