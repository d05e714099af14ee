"""The images domain as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class ImagesConfig(AppConfig):
    """Django's handle on the domain."""

    name = "apps.images"
    label = "images"
    verbose_name = "Images"
