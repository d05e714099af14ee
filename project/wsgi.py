"""The WSGI entry, for gunicorn."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from project.env import default_settings_module

default_settings_module("project.settings.production")
application = get_wsgi_application()
