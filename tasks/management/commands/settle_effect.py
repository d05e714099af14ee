"""`manage.py settle_effect`: says by hand what became of an effect whose outcome is unknown."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...execution.ledgers.postgres import PostgresLedger
from ...execution.settlement import Settled


class Command(BaseCommand):
    """The effect's job ended as dead: settle it here, then send it again."""

    help = "Say whether the effect under an idempotency key has happened, where no program could tell."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="as the job's error names it")
        parser.add_argument("outcome", choices=["happened", "not-happened"])
        parser.add_argument("--result", default="null", help="what the job would have returned, as JSON (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        outcome = Settled(_result(options["result"])) if options["outcome"] == "happened" else None
        if not PostgresLedger().settle(options["key"], outcome):
            raise CommandError(
                f"There is nothing to settle under {options['key']!r}: it is settled already, is being worked on, "
                "or was never begun. The admin's ledger entries show which."
            )
        self.stdout.write("settled")


def _result(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CommandError(f"--result is no JSON: {error}") from error
