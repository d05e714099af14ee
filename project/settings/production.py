"""In production: HTTPS, secure cookies, hashed static files. Everything else is said by the environment."""

from __future__ import annotations

from project.settings.base import *  # noqa: F403

if "server_checks" in CELERY_BROKER_TRANSPORT_OPTIONS:  # noqa: F405
    CELERY_BROKER_TRANSPORT_OPTIONS["server_checks"] = "refuse"  # noqa: F405

# HTTPS=false is for a stack that only its own machine can reach. Then nobody's X-Forwarded-Proto is believed either:
# without a proxy that sets it, anybody could.
if ENVIRONMENT.https:  # noqa: F405
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^health/"]  # probes come from inside, by plain HTTP
    SECURE_HSTS_SECONDS = 31_536_000
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
