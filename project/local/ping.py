"""Print the name of each Celery node when it answers: `python -m project.local.ping NAME...`; ends when all have.

Only Celery's settings are read, not Django's apps, so it is quick to start and asks the broker as the workers use it.
"""

from __future__ import annotations

import sys
import time

from celery import Celery
from kombu.exceptions import OperationalError

from tasks.delivery.brokers import transports_register

ANSWER_WITHIN_SECONDS = 0.3


def main() -> None:
    """Ask until every node named on the command line has answered once. Names are without their host."""
    transports_register()
    app = Celery("ping", set_as_current=False)
    app.config_from_object("project.settings.celery", namespace="CELERY")
    missing = set(sys.argv[1:])
    while missing:
        try:
            answers = app.control.ping(timeout=ANSWER_WITHIN_SECONDS)
        except (OSError, OperationalError):  # the broker may be a given one that is still starting
            time.sleep(ANSWER_WITHIN_SECONDS)
            continue
        for name in {node.partition("@")[0] for answer in answers or () for node in answer} & missing:
            print(name, flush=True)
            missing.discard(name)


if __name__ == "__main__":
    main()
