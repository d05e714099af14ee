"""Fixtures of the orders' tests."""

from __future__ import annotations

from tests.servers.mail import mail_server
from tests.servers.payment_sandbox_fixture import payment_sandbox, shared_payment_sandbox

__all__ = ["mail_server", "payment_sandbox", "shared_payment_sandbox"]
