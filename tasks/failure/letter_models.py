"""The dead letters' tables: jobs that could not be carried out, their attempts, and how each was sent on its way again.

A job has one letter, however often it dies:

    a job dies ──▶ open ──redrive──▶ redriven ──the job succeeds──▶ resolved
                    ▲ │                 │
                    │ └──discard──▶ discarded
                    └──it dies again────┘

Its *generation* counts the redrives. The message of a redrive carries the number of its own (`letters.GENERATION`),
and a death is written only if it is of a later generation than the last death that was; the job's first message is of
generation 0, which is later than no letter. So a death that two processes noticed, or a copy that comes late, makes no
second letter, and can't undo a redrive. Where the outbox knows that the job was alive, its death is one in any case:
the job may be a new one under the id of one that was pruned there.

Who may move it, and what a crash leaves:

- open: the process that noticed the death, in the transaction in which the job ends. A crash before the commit leaves
  the message with the broker, and the death is noticed again.
- redriven: a person, in one transaction with the job's new row in the outbox (see `redrive.py`).
- resolved: the worker, in the transaction in which the redriven job succeeds.
- discarded: a person. What dies again after all, a copy that nobody knew of, say, opens it again.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class DeadLetter(models.Model):
    """A job that could not be carried out, kept whole.

    task_id: the job's, or one made up for a message that has none.
    name: the wire name; empty when the message can't be read.
    queue: the routing key that it came by. priority: as the broker counts.
    headers, properties: of the message. body: its text, `[args, kwargs, {chain, callbacks, errbacks, chord}]` as JSON,
        the rest of its chain and what waits for it included. What is secret is blacked out in all three.
    sealed: the three as they were, encrypted (`sealing.py`); null when they are here as they were.
    raw: the bytes of a message whose body can't be read; null otherwise.
    batch_id: of the batch or chord of which the job, or the end of its chain, is a member.
    fingerprint: the same for deaths that have the same cause, see `fingerprints.py`.
    culprit: the frame that raised, `module:function`; empty when no Python frame did.
    deliveries: of the last message, as far as somebody counted; 0 when nobody did.
    deaths: how often it has died, redrives included.
    first_seen_at, last_seen_at: of its first and its last death.
    closed_at, closed_by, note: when and by whom it was resolved or discarded, and why.
    """

    class State(models.TextChoices):
        OPEN = "open"
        REDRIVEN = "redriven"
        RESOLVED = "resolved"
        DISCARDED = "discarded"

    class Reason(models.TextChoices):
        PERMANENT = "permanent", "permanent error"
        RETRIES_EXHAUSTED = "exhausted", "retries exhausted"
        ERROR = "error", "unforeseen error"
        SOFT_TIME_LIMIT = "soft_limit", "soft time limit"
        HARD_TIME_LIMIT = "hard_limit", "hard time limit"
        CHILD_LOST = "child_lost", "killed the process that ran it"
        WORKER_LOST = "worker_lost", "killed the worker that ran it"
        UNKNOWN_TASK = "unknown_task", "no such task"
        WRONG_ARGUMENTS = "wrong_arguments", "wrong arguments"
        UNDECODABLE = "undecodable", "can't be read"
        EXPIRED = "expired", "expired before it was begun"
        REVOKED = "revoked", "revoked"
        REJECTED = "rejected", "rejected by the task"
        UNSENDABLE = "unsendable", "refused by the broker"
        OUTCOME_UNKNOWN = "outcome_unknown", "outcome unknown"

    task_id = models.CharField(max_length=255, unique=True)
    generation = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    reason = models.CharField(max_length=16, choices=Reason)

    queue = models.CharField(max_length=200, blank=True)
    exchange = models.CharField(max_length=200, blank=True)
    priority = models.SmallIntegerField(default=0)
    headers = models.JSONField(default=dict, blank=True)
    properties = models.JSONField(default=dict, blank=True)
    body = models.TextField(blank=True)
    sealed = models.BinaryField(null=True, blank=True)
    raw = models.BinaryField(null=True, blank=True)

    root_id = models.CharField(max_length=255, blank=True)
    parent_id = models.CharField(max_length=255, blank=True)
    group_id = models.CharField(max_length=255, blank=True)
    batch_id = models.CharField(max_length=255, blank=True)
    idempotency_key = models.CharField(max_length=255, blank=True)

    error_type = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(blank=True)
    culprit = models.CharField(max_length=300, blank=True)
    fingerprint = models.CharField(max_length=32)

    release = models.CharField(max_length=100, blank=True)
    retries = models.PositiveIntegerField(default=0)
    deliveries = models.PositiveIntegerField(default=0)
    deaths = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        app_label = "tasks"
        db_table = "tasks_deadletter"
        permissions = [
            ("redrive_deadletter", "Can redrive dead letter"),
            ("discard_deadletter", "Can discard dead letter"),
        ]
        indexes = [
            # A page of letters is always the latest of some kind.
            models.Index(fields=["state", "-last_seen_at"], name="tasks_letter_state"),
            models.Index(fields=["name", "-last_seen_at"], name="tasks_letter_name"),
            models.Index(fields=["queue", "-last_seen_at"], name="tasks_letter_queue"),
            models.Index(fields=["reason", "-last_seen_at"], name="tasks_letter_reason"),
            models.Index(fields=["release", "-last_seen_at"], name="tasks_letter_release"),
            models.Index(fields=["fingerprint", "-last_seen_at"], name="tasks_letter_fingerprint"),
            models.Index(fields=["-last_seen_at"], name="tasks_letter_seen"),
            models.Index(fields=["root_id"], name="tasks_letter_root", condition=~Q(root_id="")),
            models.Index(fields=["batch_id"], name="tasks_letter_batch", condition=~Q(batch_id="")),
            models.Index(fields=["idempotency_key"], name="tasks_letter_key", condition=~Q(idempotency_key="")),
            models.Index(fields=["closed_at"], name="tasks_letter_closed", condition=Q(closed_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.name or 'unreadable message'} {self.task_id} ({self.reason})"


class JobAttempt(models.Model):
    """One attempt at a job that did not succeed. A job that succeeds at once has none.

    It is kept by task id, as the letter comes only with the last one: an attempt of a job that succeeded in the end is
    pruned with the outbox, one of a letter with its letter.

    outcome: what came of it. Only "died" is counted towards the limit of deaths, and what was given back isn't here.
    retries: the number of retries before it. deliveries: of its message, as far as somebody counted; 0 otherwise.
    begun_at: null when it could not be begun, or nobody saw it. worker: the node's name, or what noticed.
    error_type, error_message, traceback: bounded, secrets blacked out.
    """

    class Outcome(models.TextChoices):
        RETRIED = "retried", "failed, to be tried again"
        FAILED = "failed", "failed for good"
        DIED = "died", "its process died"

    task_id = models.CharField(max_length=255)
    generation = models.PositiveIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)
    deliveries = models.PositiveIntegerField(default=0)
    outcome = models.CharField(max_length=7, choices=Outcome)
    begun_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(default=timezone.now)
    worker = models.CharField(max_length=255, blank=True)
    error_type = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(blank=True)
    traceback = models.TextField(blank=True)

    class Meta:
        app_label = "tasks"
        db_table = "tasks_jobattempt"
        indexes = [
            models.Index(fields=["task_id", "id"], name="tasks_attempt_job"),
            models.Index(fields=["ended_at"], name="tasks_attempt_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id}, retry {self.retries}: {self.outcome}"


class Redrive(models.Model):
    """A letter that was sent on its way again, and how that ended.

    generation: of the message that was sent; one per letter and number, so that two people at once send one.
    edited_body: the arguments that it was given instead of the letter's, secrets blacked out; empty when none.
    outcome: pending until the job ends.
    """

    class Outcome(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        DIED = "died", "died again"
        CANCELLED = "cancelled"

    letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="redrives")
    generation = models.PositiveIntegerField()
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.CharField(max_length=150, blank=True)
    edited_body = models.TextField(blank=True)
    outcome = models.CharField(max_length=9, choices=Outcome, default=Outcome.PENDING)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "tasks"
        db_table = "tasks_redrive"
        constraints = [models.UniqueConstraint(fields=["letter", "generation"], name="tasks_redrive_once")]

    def __str__(self) -> str:
        return f"redrive {self.generation} of {self.letter_id}: {self.outcome}"
