"""`manage.py relay`: sends what the outbox holds, until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
from datetime import timedelta
from types import FrameType
from typing import Any

from celery import current_app
from django.core.management.base import BaseCommand, CommandParser

from ...conf import conf
from ...enqueue.relay import BATCH
from ...enqueue.relay_loop import RelayLoop
from ...execution.broker_letters import BrokerLetters
from ...execution.intake_letters import IntakeLetters
from ...operation.letter_metrics import metrics_serve


class Command(BaseCommand):
    """Runs one relay. Any number may run at once, on any number of machines."""

    requires_system_checks = ()  # a deployment has run them; a relay that is started again shall be back soon
    help = "Send committed messages to the broker until stopped. SIGTERM and Ctrl-C finish the batch in hand."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=BATCH, help="messages a round (%(default)s)")
        parser.add_argument("--sweep", type=float, default=2.0, help="seconds between looks nobody asked for")
        parser.add_argument("--once", action="store_true", help="send what is due now, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        loop = RelayLoop(
            current_app,
            batch=options["batch"],
            sweep=timedelta(seconds=options["sweep"]),
            chores=(IntakeLetters(current_app), BrokerLetters(current_app)),
        )

        if (port := conf().metrics_port) and not options["once"]:
            metrics_serve(port)

        def stop(number: int, frame: FrameType | None) -> None:
            loop.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        if options["once"]:
            self.stdout.write(f"sent {loop.drain()}")
        else:
            loop.run()
