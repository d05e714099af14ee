"""The Celery app and autodiscovery, nothing else."""

from __future__ import annotations

from django_structlog.celery.steps import DjangoStructLogInitStep

from project.env import default_settings_module, offer_defaults
from tasks.delivery.brokers import transports_register
from tasks.enqueue.bounded import BoundedCelery

default_settings_module("project.settings.local")

# Celery runs Django's checks whenever it starts, for which it imports every page, and heeds nothing that they say.
offer_defaults(CELERY_SKIP_CHECKS="1")

transports_register()  # before anybody connects; redis+lease:// is known since the import

app = BoundedCelery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)
app.steps["consumer"].add("tasks.operation.heartbeat:WorkerHeartbeat")
