"""Fixtures of real payment sandboxes, and of Django's settings that point at one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.servers.payment_sandbox import PaymentSandbox


@pytest.fixture(scope="session")
def shared_payment_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaymentSandbox]:
    """One that runs all the time, for tests that tell their payments apart by key and arm no faults."""
    sandbox = PaymentSandbox(tmp_path_factory.mktemp("payment_sandbox"))
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def payment_sandbox(tmp_path: Path, settings: Settings) -> Iterator[PaymentSandbox]:
    """One with empty books for this test alone, which Django's settings point at."""
    sandbox = PaymentSandbox(tmp_path)
    settings.STRIPE_API_BASE = sandbox.url
    settings.STRIPE_API_KEY = "sk_test_suite"
    settings.STRIPE_TIMEOUT = timedelta(seconds=10)
    sandbox.start()
    yield sandbox
    sandbox.stop()
