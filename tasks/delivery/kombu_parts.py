"""The parts of kombu that are built on. Its published types lag behind it, so here it counts as untyped."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis, virtual

stock: Any = redis
"""kombu's own Redis transport."""
base: Any = virtual
"""What its transports without AMQP share."""
