"""A Redis transport for Celery that loses nothing, recovers in seconds and does not double slow work.

    import tasks.delivery                                       # registers the schemes, once, in each process
    app = Celery("shop", broker="redis+lease://localhost/0")    # rediss+lease://, sentinel+lease://

It needs kombu, Celery (for workers) and redis-py; it knows neither Django nor the rest of the toolkit. Lists, keys and
bytes of the messages are kombu's, so stock publishers and stock workers share the queues.

How a message travels: `channel` claims it by `line` under a `lease`, which `keeper` renews; `message` makes it readable
or refuses it to the `intake`; `qos` counts what is in hand; `worker` tells which messages have started and died;
`publishing` makes a repeated publication one; `schedule` keeps what is far from due. The steps that must be one are in
`scripts`. What is promised, and what is not: docs/delivery.md.
"""

from __future__ import annotations

from .schemes import schemes_register
from .worker import worker_hooks_install

schemes_register()
worker_hooks_install()
