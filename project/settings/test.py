"""For the suite: the same as everywhere, on the servers that the suite started, with shortened retries."""

from __future__ import annotations

from project.env import offer_defaults

# A type checker and `manage.py check` load the settings without servers; the suite puts real ones in the environment.
offer_defaults(
    SECRET_KEY="only-for-tests",  # noqa: S106
    DATABASE_URL="postgresql://postgres@127.0.0.1:1/rootstock",
    BROKER_URL="redis://127.0.0.1:1/0",
    CACHE_URL="redis://127.0.0.1:1/1",
    STRIPE_API_KEY="sk_test_suite",
    RETRY_TIME_SCALE="0.01",
)

from project.settings.base import *  # noqa: E402, F403

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, and guards nothing here
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

# Where a test lets a process die; nowhere but in the suite.
TASKS["CRASH_AT"] = ENVIRONMENT.crash_at  # noqa: F405
