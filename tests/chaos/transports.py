"""The two transports that are compared, each as it is meant to be run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

LEASE: Final = "lease"
STOCK: Final = "stock"
TRANSPORTS: Final = (LEASE, STOCK)
SCHEMES: Final = {LEASE: "redis+lease", STOCK: "redis"}
QUEUE: Final = "default"


def settings_for(transport: str, *, lease: timedelta, port: int, prefetch: int = 1) -> dict[str, Any]:
    """Celery's settings for a worker or a publisher whose broker listens on *port* of this machine.

    Stock Celery is given all that it offers for safety: late acks, requeue when a worker is lost, prefetch 1, time-outs
    on its sockets, and a visibility timeout as short as the lease that is looked at every second. With its defaults it
    notices a dead worker after an hour and up to a hundred seconds.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": 2.0,
        "socket_timeout": 4.0,
        "socket_keepalive": True,
        "health_check_interval": 2,
    }
    if transport == STOCK:
        options |= {
            "retry_on_timeout": True,
            "visibility_timeout": lease.total_seconds(),
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 30,
        }
    else:
        options |= {"lease": lease.total_seconds()}
    return {
        "broker_url": f"{SCHEMES[transport]}://127.0.0.1:{port}/0",
        "broker_transport_options": options,
        "broker_connection_retry_on_startup": True,
        "broker_connection_timeout": 4.0,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_ignore_result": True,
        "task_default_queue": QUEUE,
        "worker_prefetch_multiplier": prefetch,
    }
