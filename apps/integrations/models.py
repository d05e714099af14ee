"""What the supplier offers, as far as we have heard, and each attempt to hear more.

A run pulls the supplier's feed page by page; each page is one transaction, with the cursor of the next:

    running ──last page──▶ succeeded
       ├─an error──────────▶ failed    (the next run carries on at `cursor`, if the pass is young)
       └─its worker died───▶ failed    (found by the next run, once SYNC_RUN_LEASE has passed without a page)
    skipped: there was nothing to do, or somebody else was at it; `note` says which

At most one row is running: a unique index makes sure.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

NOTE_MAX_LENGTH = 300


class SupplierOffer(models.Model):
    """One product of the supplier's. `available` is how many there are; 0 for one that the feed has no longer."""

    sku = models.CharField("SKU", max_length=40, unique=True)
    name = models.CharField(max_length=200)
    price_cents = models.PositiveIntegerField()
    available = models.PositiveIntegerField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["sku"]
        indexes = [models.Index(fields=["seen_at"], name="offer_seen_at")]

    def __str__(self) -> str:
        return self.sku


class SyncRun(models.Model):
    """One attempt to bring the offers up to date.

    etag: the version of the feed that was read. cursor: where the next page begins, empty at the start and the end.
    pass_began_at: when the first page was asked for, by this run or by the failed one that it carries on.
    not_before_at: until then the supplier wants to be left alone.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        SKIPPED = "skipped"

    state = models.CharField(max_length=9, choices=State)
    note = models.CharField(max_length=NOTE_MAX_LENGTH, blank=True)
    etag = models.CharField("ETag", max_length=200, blank=True)
    cursor = models.CharField(max_length=200, blank=True)
    pages = models.PositiveIntegerField(default=0)
    offers_seen = models.PositiveIntegerField(default=0)
    offers_changed = models.PositiveIntegerField(default=0)
    offers_withdrawn = models.PositiveIntegerField(default=0)
    pass_began_at = models.DateTimeField()
    started_at = models.DateTimeField()
    changed_at = models.DateTimeField(auto_now=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    not_before_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=Q(state="running"), name="one_run_at_a_time")
        ]
        indexes = [models.Index(fields=["started_at"], name="run_started_at")]

    def __str__(self) -> str:
        return f"sync run {self.pk}"
