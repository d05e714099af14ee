"""The reports domain as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """Django's handle on the domain."""

    name = "apps.reports"
    label = "reports"
    verbose_name = "Reports"
