"""The letters' pages as somebody sees them who may do so much."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

LIST = "/admin/tasks/deadletter/"


def signed_in(*may: str) -> Client:
    """Ada, who may do that to dead letters and nothing else."""
    user, _ = User.objects.get_or_create(username="ada", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{word}_deadletter" for word in may]))
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, address: str) -> str:
    """What stands on it."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def shown(client: Client, address: str) -> dict[str, str]:
    """What its form sends back unseen."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page(client, address))
    return {name: unescape(value) for name, value in found}


def confirm(client: Client, address: str, **typed: Any) -> str:
    """What is said when somebody has looked at the page and sent it."""
    return client.post(address, {**shown(client, address), **typed}, follow=True).content.decode()
