"""The shop's own workers, a payment provider and a mail server, all real, shared by a module's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.e2e.orders.floor import Floor


@pytest.fixture(scope="module")
def open_floor(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Floor]:
    """Everything runs."""
    with Floor(tmp_path_factory.mktemp("floor")) as floor:
        yield floor


@pytest.fixture
def floor(open_floor: Floor, transactional_db: None) -> Iterator[Floor]:
    """The same, at rest before and after the test: the database is emptied when nobody works on it."""
    open_floor.payments.faults_clear()
    yield open_floor
    open_floor.await_rest()
