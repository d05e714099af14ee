"""The integrations domain as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Django's handle on the domain."""

    name = "apps.integrations"
    label = "integrations"
    verbose_name = "Integrations"
