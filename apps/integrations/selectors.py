"""Reading offers and runs."""

from __future__ import annotations

from django.db.models import QuerySet

from .models import SupplierOffer, SyncRun


def offer_list() -> QuerySet[SupplierOffer]:
    """All offers, by SKU."""
    return SupplierOffer.objects.all()


def offers_exist() -> bool:
    """Whether the supplier has ever offered anything that is still to be had."""
    return SupplierOffer.objects.filter(available__gt=0).exists()


def run_list() -> QuerySet[SyncRun]:
    """All runs, the last first."""
    return SyncRun.objects.all()


def run_before() -> SyncRun | None:
    """The last run that was not skipped."""
    return SyncRun.objects.exclude(state=SyncRun.State.SKIPPED).first()


def etag_read_last() -> str:
    """The ETag of the feed that was last read whole; empty when there is none."""
    last = SyncRun.objects.filter(state=SyncRun.State.SUCCEEDED).first()
    return last.etag if last else ""
