"""Make sure that there is somebody who can log in and see everything. For local use and first set-up."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from tasks.management.plain_command import PlainCommand


class Command(PlainCommand):
    """`manage.py ensure_staff`"""

    help = "Create or update a superuser whose password is in the variable STAFF_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="staff")
        parser.add_argument("--email", default="staff@example.com")

    def handle(self, *args: Any, **options: Any) -> None:
        if len(settings.STAFF_PASSWORD) < 12:
            raise CommandError("STAFF_PASSWORD is shorter than 12 characters: put a longer one in the environment.")
        _check(options["username"], options["email"])
        user, new = User.objects.update_or_create(
            username=options["username"],
            defaults={"email": options["email"], "is_staff": True, "is_superuser": True},
        )
        if not user.check_password(settings.STAFF_PASSWORD):
            user.set_password(settings.STAFF_PASSWORD)
            user.save(update_fields=["password"])
        self.stdout.write(f"{'created' if new else 'kept'} {user.username}")


def _check(username: str, email: str) -> None:
    """Raise CommandError for what the admin wouldn't take either."""
    others = {field.name for field in User._meta.get_fields()} - {"username", "email"}
    try:
        User(username=username, email=email).clean_fields(exclude=others)
    except ValidationError as error:
        told = "; ".join(f"{name}: {' '.join(problems)}" for name, problems in error.message_dict.items())
        raise CommandError(f"{told} Give another --username or --email.") from error
