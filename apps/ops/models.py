"""Which of beat's entries are declared in `config/schedules.py`, and so are ours to change.

declared ──gone from the file──▶ retired: switched off, and marked in its description
   ▲──────back in the file───────────┘    switched on again, unless it was off before
"""

from __future__ import annotations

from django.db import models
from django_celery_beat.models import PeriodicTask


class DeclaredSchedule(models.Model):
    """The mark on one entry of beat's. Whoever deletes the entry deletes the mark; the next sync makes both anew.

    name: the name in the file. was_enabled: whether a retired entry was switched on when it was retired.
    """

    name = models.CharField(max_length=200, unique=True)
    entry = models.OneToOneField(PeriodicTask, on_delete=models.CASCADE, related_name="declared")
    retired_at = models.DateTimeField(null=True, blank=True)
    was_enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
