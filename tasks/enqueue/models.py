"""The outbox's table: one row for each job whose enqueue was committed, from then until it is pruned.

States, and who moves a row:

    scheduled ──relay, when due──▶ queued ──relay──▶ sent ──worker──▶ started ──worker──▶ succeeded
        ▲                            │                ▲  │               │
        │                            ▼                │  └───────────────┤
        │                        unsendable      reconciler              ├──▶ dead
        └────────── worker: retry, or given back ────────────────────────┘

A task of Celery's own tells nobody that it has begun: its row ends as sent, and what follows is Celery's guarantee.

What has not ended may be cancelled, unless it runs; then its own body may, by raising Celery's Ignore. A unique job
that was never begun may be given new arguments: it is scheduled or queued again then, and what was sent of it before is
void (see `uniqueness.py`).

Each arrow is one statement or part of the job's own transaction. What a crash leaves:

- between the caller's commit and the relay: the row is queued; any relay sends it.
- in the relay after the broker took the message and before its commit: the row is still queued and is sent again;
  the same task id arrives twice, and the effect ledger lets it act once.
- in the worker: the row stays sent or started; the broker delivers again, and where the broker has forgotten, the
  reconciler queues the row anew.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class OutboxMessage(models.Model):
    """A job: the message as it goes to the broker, and how far it has come.

    priority: the message's; a lower one is sent first, as Redis counts.
    retries: of the attempt that this row stands for now.
    due_at: not sent before it. Not later than `started_at` while the attempt may be running.
    """

    class State(models.TextChoices):
        SCHEDULED = "scheduled"
        QUEUED = "queued"
        SENT = "sent"
        STARTED = "started"
        SUCCEEDED = "succeeded"
        DEAD = "dead"
        CANCELLED = "cancelled"
        UNSENDABLE = "unsendable"

    task_id = models.CharField(max_length=255, unique=True)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State)
    priority = models.SmallIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    exchange = models.CharField(max_length=200, blank=True)
    routing_key = models.CharField(max_length=200)
    headers = models.JSONField()
    properties = models.JSONField()
    body = models.TextField()
    send_failures = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "tasks"
        db_table = "tasks_outbox"
        indexes = [
            # Each serves one question, and holds only the rows that the question is about.
            models.Index(fields=["priority", "id"], name="tasks_outbox_queued", condition=Q(state="queued")),
            models.Index(fields=["due_at"], name="tasks_outbox_scheduled", condition=Q(state="scheduled")),
            models.Index(fields=["sent_at"], name="tasks_outbox_underway", condition=Q(state__in=["sent", "started"])),
            models.Index(fields=["finished_at"], name="tasks_outbox_finished", condition=Q(finished_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.task_id} ({self.state})"
