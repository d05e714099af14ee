"""Fixtures of the integrations' tests."""

from __future__ import annotations

from tests.servers.supplier_sandbox import supplier

__all__ = ["supplier"]
