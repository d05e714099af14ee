"""Debian's own `redis-server`, beside the Valkey that comes in a wheel."""

from __future__ import annotations

import shutil

from project.local.errors import ServiceFailed
from project.local.valkey import BrokerValkey


class BrokerRedis(BrokerValkey):
    """Redis as a broker: what it took is on the disk, nothing is evicted."""

    def _program(self) -> str:
        found = shutil.which("redis-server")
        if found is None:
            raise ServiceFailed(
                self.name, "is not installed", "", "install it (Debian, Ubuntu: apt install redis-server; not started)"
            )
        return found
