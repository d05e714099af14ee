"""The mail that greets a new account."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from tasks.enqueue.outbox import publish

from ..errors import NoAddress
from ..models import Welcome
from .mailing import mail_send, mail_send_once, mail_take_up


@transaction.atomic
def welcome_request(*, user: User) -> bool:
    """Have the account greeted by mail, once in its life. Returns whether it had not been asked for before.

    Raises NoAddress.
    """
    if not user.email:
        raise NoAddress(user.get_username())
    _, new = Welcome.objects.get_or_create(user=user)
    if new:
        publish("notifications.send_welcome", user_id=user.pk)
    return new


def welcome_send(*, user_id: int) -> None:
    """Send the welcome that was requested, unless it has gone out. Raises what `mail_send` raises, and NoAddress."""
    for pk in Welcome.objects.filter(user=user_id).values_list("pk", flat=True):
        mail_send_once(rows=Welcome.objects.select_related("user"), pk=pk, send=_send)


def welcome_take_up(*, user_id: int) -> None:
    """Let the welcome be tried once more, though it was refused."""
    mail_take_up(rows=Welcome.objects.filter(user=user_id))


def _send(welcome: Welcome) -> None:
    user = welcome.user
    if not user.email:
        raise NoAddress(user.get_username())
    mail_send(
        to=user.email,
        subject="Welcome",
        body=f"Good day {user.get_full_name() or user.get_username()},\n\nan account has been made for you.\n",
        key=f"welcome-{user.pk}",
    )
