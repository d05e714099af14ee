"""Put what `config/schedules.py` declares into beat's tables. Run at each deploy, and as often as one likes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.ops.errors import NameTaken, ScheduleRefused
from apps.ops.services.schedules import Change, schedules_sync
from config.schedules import SCHEDULES
from tasks.management.plain_command import PlainCommand


class Command(PlainCommand):
    """`manage.py sync_schedules`"""

    help = (
        "Create, update and retire the entries that config/schedules.py declares. Entries made in the admin are left "
        "alone, and so is whether one of ours is switched on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be done and change nothing")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            changes = schedules_sync(entries=SCHEDULES, dry_run=options["dry_run"])
        except (ScheduleRefused, NameTaken) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            entries = [asdict(change) for change in changes]
            self.stdout.write(json.dumps({"dry_run": options["dry_run"], "entries": entries}, indent=2))
            return
        for change in changes:
            self.stdout.write(_line(change))
        if options["dry_run"]:
            self.stdout.write("Nothing was changed: this was a dry run.")


def _line(change: Change) -> str:
    off = "" if change.enabled else ", switched off"
    which = f" ({', '.join(change.fields)})" if change.fields else ""
    return f"{change.action:9} {change.name}: {change.task}, {change.when}{off}{which}"
