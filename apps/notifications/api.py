"""The HTTP API of reminders and of the newsletter's subscription."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.pagination import paginate
from pydantic import AwareDatetime, StringConstraints

from apps.pagination import BoundedPages

from .errors import DueOutOfRange, NoAddress
from .models import Reminder
from .selectors import reminder_list, subscription_active
from .services.reminding import reminder_create
from .services.subscriptions import subscription_end, subscription_start

router = Router()

# PostgreSQL stores no NUL.
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class ReminderIn(Schema):
    """What to be reminded of, and when: a moment with its offset from UTC."""

    text: Text
    due_at: AwareDatetime


class ReminderOut(Schema):
    """A reminder, and whether it has gone out."""

    id: int
    text: str
    due_at: datetime
    sent_at: datetime | None
    refusal: str


class SubscriptionState(Schema):
    """Whether you get the newsletter."""

    active: bool


class Problem(Schema):
    """Why a request was refused."""

    detail: str


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- `django_auth` let them in
    return request.user


@router.post("/reminders", response={201: ReminderOut, 422: Problem})
def remind(request: HttpRequest, payload: ReminderIn) -> Status[Reminder] | Status[dict[str, str]]:
    """Have a mail sent to you at a moment to come."""
    try:
        reminder = reminder_create(user=_user(request), text=payload.text, due_at=payload.due_at)
    except (NoAddress, DueOutOfRange) as error:
        return Status(422, {"detail": str(error)})
    return Status(201, reminder)


@router.get("/reminders", response=list[ReminderOut])
@paginate(BoundedPages, page_size=50)
def reminders(request: HttpRequest) -> QuerySet[Reminder]:
    """Your reminders, by when they are due."""
    return reminder_list(user=_user(request))


@router.get("/subscription", response=SubscriptionState)
def subscription(request: HttpRequest) -> dict[str, bool]:
    """Whether you get the newsletter."""
    return {"active": subscription_active(user_id=_user(request).pk)}


@router.put("/subscription", response=SubscriptionState)
def subscribe(request: HttpRequest, payload: SubscriptionState) -> dict[str, bool]:
    """Start or end the newsletter."""
    change = subscription_start if payload.active else subscription_end
    change(user_id=_user(request).pk)
    return {"active": payload.active}
