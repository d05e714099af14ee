"""What holds everywhere. What differs by place comes from `project.env`, names and figures from `config`."""

from __future__ import annotations

from typing import Any

import django_stubs_ext
import environ

from config import limits
from project.env import PROJECT_ROOT, Environment
from project.logs import logging_config
from project.settings.celery import *  # noqa: F403 -- the CELERY_ names are a settings module of their own

# Lets `ModelAdmin[Product]` and the like be written, for the type checker.
django_stubs_ext.monkeypatch()

ENVIRONMENT = Environment.read()

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = False
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.csrf_trusted_origins)
SITE_URL = ENVIRONMENT.site_url  # for links in mails, which no request knows the host of
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_celery_beat",
    "django_structlog",
    "tasks",
    "apps.ops",
    "apps.notifications",
    "apps.integrations",
    "apps.images",
    "apps.orders",
    "apps.reports",
    "project.apps.ProjectConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "project.request_size.RequestSizeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PROJECT_ROOT / "project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **environ.Env.db_url_config(ENVIRONMENT.database_url),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # A request or a task waits for a lock or a runaway query for so long, not for ever.
            "connect_timeout": 5,
            "options": "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
        },
    }
}

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": ENVIRONMENT.cache_url,
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = ENVIRONMENT.time_zone
USE_TZ = True
USE_I18N = False

STATIC_URL = "static/"
STATIC_ROOT = ENVIRONMENT.static_root
MEDIA_ROOT = ENVIRONMENT.media_root
MEDIA_URL = "media/"

# Bytes live in storage, messages carry ids. Names are made of ids, so writing one again overwrites the same bytes.
if ENVIRONMENT.s3_bucket:
    _FILES: dict[str, Any] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": ENVIRONMENT.s3_bucket,
            "endpoint_url": ENVIRONMENT.s3_endpoint_url or None,
            "access_key": ENVIRONMENT.s3_access_key or None,
            "secret_key": ENVIRONMENT.s3_secret_key or None,
            "file_overwrite": True,
            "querystring_expire": 300,
        },
    }
else:
    _FILES = {"BACKEND": "project.storage.AtomicFileSystemStorage"}
STORAGES = {
    "default": _FILES,
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

_EMAIL = environ.Env.email_url_config(ENVIRONMENT.email_url)
EMAIL_BACKEND = _EMAIL["EMAIL_BACKEND"]
EMAIL_HOST = _EMAIL["EMAIL_HOST"]
EMAIL_PORT = _EMAIL["EMAIL_PORT"]
EMAIL_HOST_USER = _EMAIL["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _EMAIL["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = _EMAIL.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _EMAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENVIRONMENT.email_from

STRIPE_API_BASE = ENVIRONMENT.stripe_api_base
STRIPE_API_KEY = ENVIRONMENT.stripe_api_key
STRIPE_TIMEOUT = ENVIRONMENT.stripe_timeout
SUPPLIER_API_URL = ENVIRONMENT.supplier_api_url
FLOWER_URL = ENVIRONMENT.flower_url
STAFF_PASSWORD = ENVIRONMENT.staff_password
IMAGE_FETCH_ALLOWED_NETWORKS = ENVIRONMENT.image_fetch_allowed_networks

TASKS: dict[str, Any] = {
    "RETRY_TIME_SCALE": ENVIRONMENT.retry_time_scale,
    "LEASE_TIME_SCALE": ENVIRONMENT.lease_time_scale,
    "OUTBOX_UNFINISHED_AFTER": ENVIRONMENT.outbox_unfinished_after,
    "PAYLOAD_MAX_BYTES": limits.PAYLOAD_MAX_BYTES,
    "HEARTBEAT_FILE": ENVIRONMENT.heartbeat_file,
    "METRICS_PORT": ENVIRONMENT.metrics_port,
}

LOGGING_CONFIG = None
LOGGING = logging_config(form=ENVIRONMENT.log_format, level=ENVIRONMENT.log_level)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
