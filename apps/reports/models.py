"""One sales report a day.

    requested ──a worker begins──▶ running ──▶ ready
                                     └───────▶ failed    `error` says why
    and from any of them back to requested, when somebody asks again

Each build carries a key of its own and writes files under names of its own. The row changes over to them when both
are whole, in one transaction, and the files before them are deleted afterwards: nobody ever gets half a file, and a
report that is built again stays readable meanwhile. A second delivery of the message takes the build over by
replacing the key; the first one finds out at its next word on progress, and stops.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

ERROR_MAX_LENGTH = 300


class SalesReport(models.Model):
    """The sales of one day in the project's time zone. Amounts are in cents of `currency`.

    progress: percent of the build. requested_by: None for the schedule. read_at: when the sales were read that
    `csv_name` and `pdf_name`, the names in storage, were made of.
    """

    class State(models.TextChoices):
        REQUESTED = "requested"
        RUNNING = "running"
        READY = "ready"
        FAILED = "failed"

    day = models.DateField(unique=True)
    state = models.CharField(max_length=9, choices=State, default=State.REQUESTED)
    progress = models.PositiveSmallIntegerField(default=0)
    build_key = models.UUIDField(null=True, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    requested_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(auto_now=True)
    error = models.CharField(max_length=ERROR_MAX_LENGTH, blank=True)
    csv_name = models.CharField(max_length=200, blank=True)
    pdf_name = models.CharField(max_length=200, blank=True)
    orders = models.PositiveIntegerField(default=0)
    items = models.PositiveIntegerField(default=0)
    total_cents = models.PositiveBigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True)

    class Meta:
        ordering = ["-day"]
        constraints = [models.CheckConstraint(condition=Q(progress__lte=100), name="progress_in_percent")]

    def __str__(self) -> str:
        return f"sales of {self.day}"

    @property
    def is_under_way(self) -> bool:
        """Whether somebody waits for it to be built."""
        return self.state in (self.State.REQUESTED, self.State.RUNNING)

    @property
    def has_files(self) -> bool:
        """Whether there is something to download, from this build or the one before."""
        return bool(self.csv_name and self.pdf_name)
