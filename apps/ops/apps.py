"""The ops domain as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class OpsConfig(AppConfig):
    """Django's handle on the domain."""

    name = "apps.ops"
    label = "ops"
    verbose_name = "Operations"
