"""One broker and one result backend for each test; pytest-celery would run each test on every kind that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def celery_broker(celery_redis_broker: Any) -> Iterator[Any]:
    """Redis, or Valkey. A project on another broker overrides this."""
    yield celery_redis_broker
    celery_redis_broker.teardown()


@pytest.fixture
def celery_backend(celery_redis_backend: Any) -> Iterator[Any]:
    """Redis, or Valkey. A project on another backend overrides this."""
    yield celery_redis_backend
    celery_redis_backend.teardown()
