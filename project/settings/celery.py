"""Celery's settings: crash-safe by default, bounded in time everywhere, JSON only.

Each departure from Celery's own default has its reason beside it.
"""

from __future__ import annotations

from typing import Any

from kombu import Exchange, Queue

from config import limits, queues, routes
from config.queues import PRIORITY_STEPS
from project.env import Environment
from tasks.topology import Broker, broker_of, connection_options, queue_shape

_ENVIRONMENT = Environment.read()
_BROKER = broker_of(_ENVIRONMENT.broker_url)

CELERY_BROKER_URL = _ENVIRONMENT.broker_url
CELERY_TIMEZONE = _ENVIRONMENT.time_zone
CELERY_ENABLE_UTC = True

# Celery closes the database connection around every job; here a child keeps it. One that has died is noticed by the
# job's first statement, and made anew (`tasks.execution.attempt`).
CELERY_DB_REUSE_MAX = 10_000

# A job is acknowledged when it is done. A child killed under it sends it back to the queue.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False

# What no task can be given, and what kills the worker, becomes a dead letter.
CELERY_WORKER_CONSUMER = "tasks.execution.consumer:DeadLetterConsumer"

# A deploy waits for what runs, then gives the rest back. What was only prefetched, or is not due, needs no waiting for.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = limits.SOFT_SHUTDOWN.total_seconds()
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = False

# JSON only: a pickle from the broker is code from the broker.
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_RESULT_ACCEPT_CONTENT = ["json"]

# No results kept unless asked for: they cost 45 % of a worker, and what matters is in the database. This backend
# keeps none and counts chord members there.
CELERY_RESULT_BACKEND = "tasks.execution.chords.ChordBackend"
CELERY_TASK_IGNORE_RESULT = True

# A hard limit stops what `@task` did not bound itself (plain Celery tasks).
CELERY_TASK_TIME_LIMIT = limits.TASK_TIME_LIMIT.total_seconds()
CELERY_TASK_SOFT_TIME_LIMIT = limits.TASK_SOFT_TIME_LIMIT.total_seconds()

# Routing by class of service. A queue that nobody declared is a typo and is refused.
_SHAPES = [queue_shape(_BROKER, name, delivery_limit=limits.DELIVERY_LIMIT) for name in queues.QUEUES]
CELERY_TASK_QUEUES = [
    Queue(
        shape.name,
        Exchange(shape.name, type=shape.exchange_type),
        routing_key=shape.name,
        queue_arguments=shape.arguments or None,
    )
    for shape in _SHAPES
]
CELERY_TASK_DEFAULT_QUEUE = queues.DEFAULT
CELERY_TASK_DEFAULT_EXCHANGE = queues.DEFAULT
CELERY_TASK_DEFAULT_EXCHANGE_TYPE = _SHAPES[0].exchange_type
CELERY_TASK_DEFAULT_ROUTING_KEY = queues.DEFAULT
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ROUTES = ([(pattern, {"queue": queue, "priority": urgency}) for pattern, queue, urgency in routes.ROUTES],)
CELERY_TASK_DEFAULT_PRIORITY = queues.NORMAL

# Publishing fails in bounded time when the broker hangs or is away; it never blocks a request for ever.
CELERY_BROKER_CONNECTION_TIMEOUT = 4.0
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_POOL_ACQUIRE_TIMEOUT = 5.0
CELERY_TASK_PUBLISH_RETRY_POLICY: dict[str, Any] = {
    "max_retries": 2,
    "interval_start": 0.1,
    "interval_step": 0.2,
    "interval_max": 0.5,
}
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = connection_options(
    _BROKER,
    steps=PRIORITY_STEPS,
    visibility_timeout=_ENVIRONMENT.visibility_timeout,
    delivery_limit=limits.DELIVERY_LIMIT,
    queue_prefix=limits.SQS_QUEUE_PREFIX,
)

if "+lease" in _ENVIRONMENT.broker_url.partition("://")[0]:
    CELERY_BROKER_TRANSPORT_OPTIONS |= {
        "lease": min(limits.LEASE, _ENVIRONMENT.visibility_timeout),
        "deaths_max": limits.DEATHS_MAX,
        "cache_url": _ENVIRONMENT.cache_url,
        "server_checks": "warn",  # production refuses
    }

# RabbitMQ 4.3 wants a worker's own queue durable or exclusive. An exclusive one is still locked when a worker is back
# before the broker has missed it, and the worker would end at that.
CELERY_CONTROL_QUEUE_DURABLE = _BROKER is Broker.RABBITMQ
CELERY_CONTROL_QUEUE_EXCLUSIVE = False

CELERY_BEAT_SCHEDULER = "tasks.operation.beat:HeartbeatScheduler"
CELERY_BEAT_ENABLE_REMOTE_CONTROL = True

# Flower lives on events; `sent` events are left off, they cost a publish per publish.
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_TASK_SEND_SENT_EVENT = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
