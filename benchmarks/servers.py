"""A PostgreSQL and a Valkey for one benchmark, with the durability of production, and Django set up on them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project.local.ports import FreePorts
from project.local.postgres import Postgres
from project.local.valkey import BrokerValkey


@contextmanager
def servers(settings: str = "project.settings.test") -> Iterator[Path]:
    """Start both, migrate, and yield a temporary directory; stop them at the end."""
    ports = FreePorts()
    with tempfile.TemporaryDirectory(prefix="rootstock-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        with (
            Postgres(directory=directory / "postgres", port=ports.pick("postgres"), name="postgres") as postgres,
            BrokerValkey(directory=directory / "valkey", port=ports.pick("valkey"), name="valkey") as valkey,
        ):
            os.environ.update(
                DATABASE_URL=postgres.url,
                BROKER_URL=valkey.url,
                CACHE_URL=valkey.plain_url,
                DJANGO_SETTINGS_MODULE=settings,
                LOG_LEVEL="WARNING",
            )
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            yield directory
