"""The table of uniqueness: which jobs stand for all others of their kind. See `uniqueness.py`."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class UniqueLock(models.Model):
    """Held by the job *owner*, a task id.

    key: of the task's name and the values of the parameters that make it unique; `arguments` shows them, as JSON.
    until: what frees it, as it was declared when it was taken. expires_at: only of a period.
    """

    class Until(models.TextChoices):
        STARTED = "started"
        FINISHED = "finished"
        PERIOD = "period"

    key = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(max_length=200)
    arguments = models.CharField(max_length=500)
    owner = models.CharField(max_length=255, db_index=True)
    until = models.CharField(max_length=8, choices=Until)
    taken_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "tasks"
        db_table = "tasks_uniquelock"
        constraints = [
            models.CheckConstraint(
                condition=Q(until="period", expires_at__isnull=False) | ~Q(until="period") & Q(expires_at__isnull=True),
                name="tasks_uniquelock_period_expires",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.arguments}"
