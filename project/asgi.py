"""The ASGI entry, for servers that speak it."""

from __future__ import annotations

from django.core.asgi import get_asgi_application

from project.env import default_settings_module

default_settings_module("project.settings.production")
application = get_asgi_application()
