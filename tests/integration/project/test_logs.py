"""What a line of the log must not hold, in either form."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO
from logging.config import DictConfigurator
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.notifications.services.subscriptions import unsubscribe_url
from project.logs import logging_config

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["json", "console"])
def lines(request: pytest.FixtureRequest) -> Iterator[StringIO]:
    """What is logged meanwhile, as it would be written."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    config = DictConfigurator(logging_config(form=request.param, level="INFO"))
    handler.setFormatter(config.configure_formatter(config.config["formatters"]["structured"]))
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def test_who_reads_the_log_can_end_nobodys_newsletter(lines: StringIO) -> None:
    """The token in the link is all that it takes, and is good for years."""
    user = User.objects.create_user("ada")
    token = unsubscribe_url(user_id=user.pk).rstrip("/").rpartition("/")[2]
    link = reverse("notifications:unsubscribe", args=[token])
    client = Client(raise_request_exception=False)
    client.get(link, {"from": "mail"})
    client.post(link)
    client.put(link)  # Django's own line: not allowed
    client.get(link.rstrip("/"))
    logging.getLogger("gateway").warning("GET %s took long", quote(link))
    said = lines.getvalue()

    assert said.count("/notifications/unsubscribe/[token]") >= 10
    assert "PUT" in said
    assert token.partition(":")[2] not in said


def test_other_paths_are_logged_as_they_are(lines: StringIO) -> None:
    """They are what a log is read for."""
    Client().get("/orders/4711/?page=2")
    assert "GET /orders/4711/?page=2" in lines.getvalue()
