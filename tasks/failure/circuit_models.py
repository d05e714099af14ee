"""The table of circuits: one row for each task with a budget of which an attempt has ever failed."""

from __future__ import annotations

from django.db import models

from .circuit_state import State


class Circuit(models.Model):
    """A task's circuit, as all workers share it. What the figures mean: `circuit_state.Standing`."""

    name = models.CharField(max_length=200, primary_key=True)
    state = models.CharField(max_length=9, choices=[(state.value, state.value) for state in State])
    round = models.PositiveIntegerField()
    half_began_at = models.DateTimeField()
    succeeded = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()
    earlier_succeeded = models.PositiveIntegerField()
    earlier_failed = models.PositiveIntegerField()
    watched_since_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    until_at = models.DateTimeField(null=True, blank=True)
    pauses = models.PositiveIntegerField()
    permits = models.PositiveIntegerField()
    good = models.PositiveIntegerField()

    class Meta:
        app_label = "tasks"
        db_table = "tasks_circuit"

    def __str__(self) -> str:
        return self.name
