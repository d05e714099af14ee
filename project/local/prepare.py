"""Check the project and bring the database to where it expects it: `python -m project.local.prepare`.

All in one process, as most of what such a command takes is Django's start.
"""

from __future__ import annotations

from typing import Final

import django
from django.core.management import call_command

# Each may be run again and again.
COMMANDS: Final = ("check", "migrate", "seed_catalogue", "sync_schedules", "ensure_staff")


def main() -> None:
    """Run COMMANDS in order."""
    django.setup()
    for command in COMMANDS:
        call_command(command)


if __name__ == "__main__":
    main()
