"""What `manage.py check --deploy` says about mail."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as CheckWarning

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@register(Tags.urls, deploy=True)
def site_url_is_public(**_: Any) -> list[CheckMessage]:
    """Links in mails must lead where their readers can go."""
    if urlsplit(settings.SITE_URL).hostname not in LOOPBACK:
        return []
    return [
        CheckWarning(
            f"SITE_URL is {settings.SITE_URL!r}: the links in mails lead to the reader's own machine.",
            hint="Put the address that people use into the environment, SITE_URL=https://shop.example.com, say.",
            id="notifications.W001",
        )
    ]
