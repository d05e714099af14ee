"""`manage.py relay`: sends what the outbox holds, until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
from datetime import timedelta
from types import FrameType
from typing import Any, Final

from celery import current_app
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser

from ...conf import conf
from ...enqueue.relay import BATCH, BrokerAway
from ...enqueue.relay_loop import RelayLoop
from ...execution.broker_letters import BrokerLetters
from ...execution.intake_letters import IntakeLetters
from ...operation.heartbeat import heartbeat_file
from ...operation.letter_metrics import metrics_serve
from ..plain_command import STOPPED, PlainCommand
from ..values import decimal, whole

BATCH_MOST: Final = 100_000
HELP: Final = f"""
exit codes: 0 stopped as it was told to, or, with --once, all that was due was sent or set aside; 1 an error; 2 wrong
usage; {STOPPED} stopped before --once was done. What was not sent stays in the outbox.
"""


class Command(PlainCommand):
    """Runs one relay. Any number may run at once, on any number of machines."""

    requires_system_checks = ()  # a deployment has run them; a relay that is started again shall be back soon
    help = f"Send committed messages to the broker until stopped. SIGTERM and Ctrl-C finish the batch in hand. {HELP}"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=whole(1, BATCH_MOST), default=BATCH, help="messages a round (%(default)s)")
        seconds = decimal(0.01, 86_400, "time in seconds")
        parser.add_argument("--sweep", type=seconds, default=2.0, help="seconds between looks nobody asked for")
        parser.add_argument("--once", action="store_true", help="send what is due now, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        loop = RelayLoop(
            current_app,
            batch=options["batch"],
            sweep=timedelta(seconds=options["sweep"]),
            chores=(IntakeLetters(current_app), BrokerLetters(current_app)),
        )

        if not options["once"]:
            _show_life()

        def stop(number: int, frame: FrameType | None) -> None:
            loop.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        if options["once"]:
            self._drain(loop)
        else:
            loop.run()

    def _drain(self, loop: RelayLoop) -> None:
        try:
            sent = loop.drain()
        except BrokerAway as error:
            raise CommandError(f"{error}. Start it or look at its address, and run this again.") from error
        if loop.is_stopping:
            raise CommandError(f"stopped; sent {sent}, the rest stays in the outbox", returncode=STOPPED)
        self.stdout.write(f"sent {sent}")


def _show_life() -> None:
    """Serve metrics, and see to it that the heartbeat can be written, where they are asked for. Raises CommandError."""
    try:
        heartbeat_file()
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    if port := conf().metrics_port:
        try:
            metrics_serve(port)
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"metrics can't be served at port {port}: {error}. Put one that is free in METRICS_PORT, or 0 for none."
            ) from error
