"""The tables of batches and chords: what is counted together, and which members have ended."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Batch(models.Model):
    """Many jobs that are counted together: a chord's header, or a batch made by a program. See `batches.py`.

    on_success, on_death, on_complete: signatures as Celery serialises them, each with a frozen task id, or null.
    collects: the success callback gets the members' results, in order (a chord).
    reopened: how often a member that had died was taken up again. finished_at: when it was over for the first time.
    """

    id = models.CharField(max_length=255, primary_key=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="nested")
    description = models.CharField(max_length=200, blank=True)
    collects = models.BooleanField(default=False)
    is_closed = models.BooleanField(default=False)
    total = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    dead = models.PositiveIntegerField(default=0)
    reopened = models.PositiveIntegerField(default=0, db_default=0)
    on_success = models.JSONField(null=True, blank=True)
    on_death = models.JSONField(null=True, blank=True)
    on_complete = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "tasks"
        db_table = "tasks_batch"
        verbose_name_plural = "batches"
        indexes = [models.Index(fields=["finished_at"], name="tasks_batch_finished")]

    def __str__(self) -> str:
        return self.description or self.id


class BatchMember(models.Model):
    """A member of a batch that has ended. `position` and `result` are kept where the batch collects results."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="ended", db_index=False)
    task_id = models.CharField(max_length=255)
    is_dead = models.BooleanField()
    position = models.PositiveIntegerField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)

    class Meta:
        app_label = "tasks"
        db_table = "tasks_batchmember"
        constraints = [models.UniqueConstraint(fields=["batch", "task_id"], name="tasks_member_counts_once")]

    def __str__(self) -> str:
        return self.task_id
