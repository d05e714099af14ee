"""What pytest-celery's fixtures do otherwise, on processes and on containers.

One broker and one result backend for each test, where pytest-celery would run each test on every kind that it knows;
and the app that was current before a test is current again after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, current_app


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


@pytest.fixture
def current_app_again() -> Iterator[None]:
    """Make the app current again that is current now: pytest-celery makes its own apps current and leaves it so."""
    known: Any = current_app
    app = known._get_current_object()
    yield
    app.set_current()


@pytest.fixture
def celery_setup_app(current_app_again: None, celery_setup_app: Celery) -> Celery:
    """pytest-celery's app for the test."""
    return celery_setup_app
