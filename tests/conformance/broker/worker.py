"""What `celery -A` loads in a worker of the suite."""

from __future__ import annotations

from tests.conformance.broker.worker_app import app_of_this_process

app = app_of_this_process()
