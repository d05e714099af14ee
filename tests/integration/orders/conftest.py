"""Fixtures of the orders' tests."""

from __future__ import annotations

from tests.servers.payment_sandbox_fixture import payment_sandbox, shared_payment_sandbox

__all__ = ["payment_sandbox", "shared_payment_sandbox"]
