"""Make sure that there is somebody who can log in and see everything. For local use and first set-up."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    """`manage.py ensure_staff`"""

    help = "Create or update a superuser whose password is in the variable STAFF_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="staff")
        parser.add_argument("--email", default="staff@example.com")

    def handle(self, *args: Any, **options: Any) -> None:
        if len(settings.STAFF_PASSWORD) < 12:
            raise CommandError("STAFF_PASSWORD is shorter than 12 characters: put a longer one in the environment.")
        user, new = User.objects.update_or_create(
            username=options["username"],
            defaults={"email": options["email"], "is_staff": True, "is_superuser": True},
        )
        if not user.check_password(settings.STAFF_PASSWORD):
            user.set_password(settings.STAFF_PASSWORD)
            user.save(update_fields=["password"])
        self.stdout.write(f"{'created' if new else 'kept'} {user.username}")
