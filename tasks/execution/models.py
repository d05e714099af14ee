"""The effect ledger's table: which effects have happened, and which are under way."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class LedgerEntry(models.Model):
    """One idempotency key. See `ledger.py` for the states.

    token: grows with every claim; whoever holds a smaller one may no longer commit.
    owner: the task id (or other name) of who claimed last.
    lease_until: only while claimed. Past it, the outcome is unknown.
    result: JSON text, see `ledgers/results.py`. expires_at: as good as absent from then on.
    """

    class State(models.TextChoices):
        FREE = "free"
        CLAIMED = "claimed"
        DONE = "done"

    key = models.CharField(max_length=255, primary_key=True)
    fingerprint = models.CharField(max_length=64)
    state = models.CharField(max_length=7, choices=State)
    token = models.BigIntegerField(default=1)
    owner = models.CharField(max_length=255)
    lease_until = models.DateTimeField(null=True, blank=True)
    result = models.TextField(null=True, blank=True)  # noqa: DJ001 -- no result yet is not an empty one
    created_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        app_label = "tasks"
        db_table = "tasks_ledger"
        indexes = [models.Index(fields=["expires_at"], name="tasks_ledger_expires")]
        verbose_name_plural = "ledger entries"

    def __str__(self) -> str:
        return f"{self.key} ({self.state})"
