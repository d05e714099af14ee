"""The outbox in the admin: jobs to look at, and none of their secrets."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from celery import chain
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from tasks import task
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue

pytestmark = pytest.mark.django_db(transaction=True)

CARD = "4000-0566"


@task("outbox_admin.pay", time_limit=timedelta(minutes=1), secret=("card",))
def pay(order: int, card: str) -> None: ...


def page(row: OutboxMessage) -> str:
    """The page of one job, as who may do everything sees it."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    answer = client.get(reverse("admin:tasks_outboxmessage_change", args=[row.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_jobs_page_shows_its_message_without_secrets() -> None:
    """Neither in its arguments, nor in what is to follow, nor in what it has died of; all else is there to be read."""
    enqueue(chain(pay.si(7, card=CARD), pay.si(8, CARD + "-next")))
    # As it is of a publisher that knows nothing of secrets, or of a time when nothing was blacked out.
    row = OutboxMessage.objects.get()
    row.headers["kwargsrepr"] = json.dumps({"card": CARD})
    row.problem = f"Permanent: {CARD} was refused"
    row.save()
    told = page(row)

    assert CARD not in told
    for shown in (row.task_id, "outbox_admin.pay", '"root_id"', '"card": "[redacted]"', "[redacted] was refused"):
        assert escape(shown) in told
    row.refresh_from_db()
    assert CARD in row.body


def test_a_message_that_is_no_json_is_not_shown() -> None:
    """A project that lets Celery pickle has such; nobody can tell what is secret in one."""
    pay.enqueue(7, CARD)
    row = OutboxMessage.objects.get()
    row.body = f"gAWV {CARD}"
    row.save()
    told = page(row)

    assert CARD not in told
    assert escape("can't be read") in told
