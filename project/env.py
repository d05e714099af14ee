"""The sole reader of os.environ: every variable the project knows, typed, with its default.

`Environment.read()` is called once by `project.settings.base`. A value that can't be read is refused at start with
the variable's name, what was given and what is expected.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from config import limits

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def default_settings_module(name: str) -> None:
    """Use the settings module *name* unless DJANGO_SETTINGS_MODULE says otherwise."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", name)


def offer_defaults(**defaults: str) -> None:
    """Set each variable that the surroundings left unset."""
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def surroundings() -> dict[str, str]:
    """A copy of every variable, to start other processes with."""
    return dict(os.environ)


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """What the surroundings say. URLs are given whole; durations are read as seconds."""

    secret_key: str
    allowed_hosts: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    site_url: str
    https: bool
    database_url: str
    broker_url: str
    cache_url: str
    email_url: str
    email_from: str
    media_root: Path
    static_root: Path
    s3_bucket: str
    s3_endpoint_url: str
    s3_access_key: str
    s3_secret_key: str
    image_fetch_allowed_networks: tuple[str, ...]
    stripe_api_base: str
    stripe_api_key: str
    stripe_timeout: timedelta
    supplier_api_url: str
    retry_time_scale: float
    lease_time_scale: float
    outbox_unfinished_after: timedelta
    crash_at: str
    visibility_timeout: timedelta
    heartbeat_file: str
    metrics_port: int
    flower_url: str
    staff_password: str
    log_format: str
    log_level: str
    time_zone: str

    @classmethod
    def read(cls) -> Environment:
        """Read os.environ. Raises ImproperlyConfigured for what is missing or can't be read."""
        env = _Reader()
        return cls(
            secret_key=env.text("SECRET_KEY"),
            allowed_hosts=env.words("ALLOWED_HOSTS", ""),
            csrf_trusted_origins=env.words("CSRF_TRUSTED_ORIGINS", ""),
            site_url=env.url("SITE_URL", {"http", "https"}, "http://127.0.0.1:8000"),
            https=env.choice("HTTPS", ("true", "false"), "true") == "true",
            database_url=env.url("DATABASE_URL", {"postgres", "postgresql"}),
            broker_url=env.url("BROKER_URL", BROKER_SCHEMES),
            cache_url=env.url("CACHE_URL", {"redis", "rediss"}),
            email_url=env.url("EMAIL_URL", {"smtp", "smtp+tls", "smtp+ssl"}, "smtp://127.0.0.1:1025"),
            email_from=env.text("EMAIL_FROM", "Rootstock <shop@example.com>"),
            media_root=Path(env.text("MEDIA_ROOT", str(PROJECT_ROOT / "var" / "media"))),
            static_root=Path(env.text("STATIC_ROOT", str(PROJECT_ROOT / "var" / "static"))),
            s3_bucket=env.text("S3_BUCKET", ""),
            s3_endpoint_url=env.text("S3_ENDPOINT_URL", ""),
            s3_access_key=env.text("S3_ACCESS_KEY", ""),
            s3_secret_key=env.text("S3_SECRET_KEY", ""),
            image_fetch_allowed_networks=env.words("IMAGE_FETCH_ALLOWED_NETWORKS", ""),
            stripe_api_base=env.url("STRIPE_API_BASE", {"http", "https"}, "https://api.stripe.com"),
            stripe_api_key=env.text("STRIPE_API_KEY"),
            stripe_timeout=timedelta(seconds=env.number("STRIPE_TIMEOUT", "10")),
            supplier_api_url=env.text("SUPPLIER_API_URL", ""),
            retry_time_scale=env.number("RETRY_TIME_SCALE", "1"),
            lease_time_scale=env.number("LEASE_TIME_SCALE", "1"),
            outbox_unfinished_after=timedelta(seconds=env.number("OUTBOX_UNFINISHED_AFTER", "1800")),
            crash_at=env.text("CRASH_AT", ""),
            visibility_timeout=timedelta(
                seconds=env.number("VISIBILITY_TIMEOUT", str(limits.VISIBILITY_TIMEOUT.total_seconds()))
            ),
            heartbeat_file=env.text("HEARTBEAT_FILE", ""),
            metrics_port=int(env.number("METRICS_PORT", "0")),
            flower_url=env.text("FLOWER_URL", ""),
            staff_password=env.text("STAFF_PASSWORD", ""),
            log_format=env.choice("LOG_FORMAT", ("console", "json"), "json"),
            log_level=env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
            time_zone=env.text("TIME_ZONE", "Europe/Berlin"),
        )


BROKER_SCHEMES = {
    "redis+lease",
    "rediss+lease",
    "sentinel+lease",
    "redis",
    "rediss",
    "sentinel",
    "amqp",
    "amqps",
    "sqs",
}

VARIABLES = frozenset(field.name.upper() for field in fields(Environment))


class _Reader:
    """django-environ with errors that name the variable, what it held and what it should hold."""

    def __init__(self) -> None:
        self._env = environ.FileAwareEnv()

    def text(self, name: str, default: str | None = None) -> str:
        value = str(self._env.str(name, default=default or ""))
        if not value and default is None:
            raise ImproperlyConfigured(f"{name} is not set, and has no safe default: put it in the environment.")
        return value

    def words(self, name: str, default: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text(name, default).split(",") if word.strip())

    def number(self, name: str, default: str) -> float:
        value = self.text(name, default)
        try:
            number = float(value)
        except ValueError:
            raise ImproperlyConfigured(f"{name} is {value!r}: expected a number.") from None
        if not 0 <= number < float("inf"):
            raise ImproperlyConfigured(f"{name} is {value!r}: expected a number of 0 or more.")
        return number

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise ImproperlyConfigured(f"{name} is {value!r}: expected one of {', '.join(choices)}.")
        return value

    def url(self, name: str, schemes: set[str], default: str | None = None) -> str:
        value = self.text(name, default)
        scheme = urlsplit(value).scheme
        if scheme not in schemes:  # the value itself may hold a password, so it isn't repeated
            raise ImproperlyConfigured(
                f"{name} has the scheme {scheme!r}: expected one of {', '.join(sorted(schemes))}."
            )
        return value
