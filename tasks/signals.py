"""Every signal that the toolkit sends, in one place.

Receivers run in the process that noticed; one that raises is a bug and is raised to the sender.
"""

from __future__ import annotations

from django.dispatch import Signal

# A message that the broker refuses was set aside: `task_id`, `problem`. Sent inside the transaction in which it was.
message_unsendable = Signal()

# An attempt failed: `task` (running), `error`, `again` (whether it is tried once more). Sent inside the transaction
# that writes the next attempt, or the end; a receiver that raises is logged, and what it wrote is undone.
attempt_failed = Signal()

# A job has become a dead letter: `letter`, the row. Sent inside the transaction in which it did.
letter_arrived = Signal()

# A job ended for good: `task_id`, `name`, `state` ("succeeded", "dead" or "cancelled"), `problem`.
# Sent inside the transaction in which it ended.
job_finished = Signal()

# The circuit of a task with a budget opened: `name`, `failures` of `attempts`, `until_at` (nothing is tried before).
# Sent after it is on record, by the process that noticed; a receiver that raises is logged.
circuit_opened = Signal()

# It closed again, by itself or by hand: `name`, `opened_at`. Likewise.
circuit_closed = Signal()
