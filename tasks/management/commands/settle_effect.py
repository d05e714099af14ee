"""`manage.py settle_effect`: says by hand what became of an effect whose outcome is unknown."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

from ...execution.ledgers.postgres import PostgresLedger
from ...execution.settlement import Settled
from ..plain_command import PlainCommand
from ..values import json_of

NO_RESULT: Final = "null"


class Command(PlainCommand):
    """The effect's job ended as dead: settle it here, then send it again."""

    help = "Say whether the effect under an idempotency key has happened, where no program could tell."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="as the job's error names it")
        parser.add_argument("outcome", choices=["happened", "not-happened"])
        parser.add_argument(
            "--result", default=NO_RESULT, help="what the job would have returned, as JSON (%(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        has_happened = options["outcome"] == "happened"
        if not has_happened and options["result"] != NO_RESULT:
            raise CommandError("--result is of what has happened: leave it out, or say happened")
        outcome = Settled(json_of("--result", options["result"])) if has_happened else None
        if not PostgresLedger().settle(options["key"], outcome):
            raise CommandError(
                f"There is nothing to settle under {options['key']!r}: it is settled already, is being worked on, "
                "or was never begun. The admin's ledger entries show which."
            )
        self.stdout.write("settled")
