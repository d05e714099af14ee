"""Keeps what a worker holds of SQS its own: a thread that extends the visibility timeout of every held message.

SQS hands a message out again when its visibility timeout is over, whether its holder died or is only slow. So the
timeout is short, and is begun anew every third of it for as long as the holder lives: a job that runs for long, waits
in the worker or waits for its ETA is not handed out twice, and a dead worker's comes back soon. SQS allows twelve hours
from the first hand-over, whatever is extended; after that it hands the message out again.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from .forks import ForkGate

log = logging.getLogger(__name__)

LOOKS_A_TIMEOUT: Final = 3
AT_ONCE: Final = 10  # entries of one request, as SQS allows


class Hold:
    """Extends what *held* names, as (URL of the queue, receipt handle), from its first call of `begin` to `end`."""

    def __init__(self, client: Any, held: Callable[[], Iterable[tuple[str, str]]], timeout: timedelta) -> None:
        self._client, self._held, self._timeout = client, held, timeout
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._gate = ForkGate()

    def begin(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sqs-hold", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Extend nothing any more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(self._timeout.total_seconds() / LOOKS_A_TIMEOUT):
            by_queue: dict[str, list[str]] = defaultdict(list)
            for queue, receipt in self._held():
                by_queue[queue].append(receipt)
            for queue, receipts in by_queue.items():
                for first in range(0, len(receipts), AT_ONCE):
                    self._extend(queue, receipts[first : first + AT_ONCE])

    def _extend(self, queue: str, receipts: list[str]) -> None:
        seconds = int(self._timeout.total_seconds())
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for number, receipt in enumerate(receipts)
        ]
        try:
            with self._gate:
                answer = self._client.change_message_visibility_batch(QueueUrl=queue, Entries=entries)
        except (ClientError, BotoCoreError, OSError) as error:
            log.warning("SQS did not extend the hold on %d messages (%s); trying again", len(receipts), error)
            return
        if lost := answer.get("Failed"):
            log.warning("%d messages are no longer ours to hold; SQS says of the first: %s", len(lost), lost[0])
