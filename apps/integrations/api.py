"""The HTTP API of the supplier's offers, for who has the permission to view them."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError
from ninja.pagination import paginate

from apps.pagination import BoundedPages

from .models import SupplierOffer, SyncRun
from .selectors import offer_list, run_list

router = Router()


class OfferOut(Schema):
    """A product of the supplier's, and when the feed last had it."""

    sku: str
    name: str
    price_cents: int
    available: int
    seen_at: datetime


class RunOut(Schema):
    """One attempt to bring the offers up to date."""

    id: int
    state: str
    note: str
    pages: int
    offers_seen: int
    offers_changed: int
    offers_withdrawn: int
    started_at: datetime
    ended_at: datetime | None


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise HttpError(403, f"you need the permission {permission}")


@router.get("/offers", response=list[OfferOut])
@paginate(BoundedPages, page_size=50)
def offers(request: HttpRequest) -> QuerySet[SupplierOffer]:
    """The offers, by SKU."""
    _require(request, "integrations.view_supplieroffer")
    return offer_list()


@router.get("/runs", response=list[RunOut])
@paginate(BoundedPages, page_size=50)
def runs(request: HttpRequest) -> QuerySet[SyncRun]:
    """The attempts, the last first."""
    _require(request, "integrations.view_syncrun")
    return run_list()
