"""docker-compose.yml, read."""

from __future__ import annotations

import pytest

from tests.compose.file import Compose


@pytest.fixture(scope="session")
def compose() -> Compose:
    """With nothing in .env but where the secrets are."""
    return Compose({"SECRETS": "/secrets"})
