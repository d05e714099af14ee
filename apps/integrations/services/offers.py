"""Writing down what the supplier offers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from ..models import SupplierOffer

if TYPE_CHECKING:
    from ..feed import Offer

FIELDS = ("name", "price_cents", "available")


@transaction.atomic
def offers_write(*, offers: Sequence[Offer], seen_at: datetime) -> int:
    """Write the offers of one page; return how many are new or not as they were."""
    known = {
        sku: tuple(values)
        for sku, *values in SupplierOffer.objects.filter(sku__in=[offer.sku for offer in offers]).values_list(
            "sku", *FIELDS
        )
    }
    SupplierOffer.objects.bulk_create(
        [SupplierOffer(**offer.model_dump(), seen_at=seen_at) for offer in offers],
        update_conflicts=True,
        unique_fields=["sku"],
        update_fields=[*FIELDS, "seen_at"],
    )
    return sum(known.get(offer.sku) != (offer.name, offer.price_cents, offer.available) for offer in offers)


def offers_withdraw(*, unseen_since: datetime) -> int:
    """Set to 0 what a whole pass that began at *unseen_since* did not bring; return how many that are."""
    return SupplierOffer.objects.filter(seen_at__lt=unseen_since, available__gt=0).update(available=0)
