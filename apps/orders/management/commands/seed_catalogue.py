"""Fill the catalogue with demo products. Run again, it adds what is missing and changes nothing."""

from __future__ import annotations

from typing import Any

from apps.orders.models import Product
from tasks.management.plain_command import PlainCommand

CATALOGUE = [
    ("ROOT-001", "Apple rootstock M9", 1250, 500),
    ("ROOT-002", "Pear rootstock Quince A", 1490, 500),
    ("ROOT-003", "Cherry rootstock Gisela 5", 1895, 500),
    ("TOOL-001", "Grafting knife", 3450, 200),
    ("TOOL-002", "Grafting tape, 20 m", 695, 1000),
    ("RARE-001", "Medlar, grafted, 3 years", 8900, 3),
]


class Command(PlainCommand):
    """`manage.py seed_catalogue`"""

    help = "Fill the catalogue with demo products; what is there already is left as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        added = 0
        for sku, name, price_cents, stock in CATALOGUE:
            _, new = Product.objects.get_or_create(
                sku=sku, defaults={"name": name, "price_cents": price_cents, "stock": stock}
            )
            added += new
        self.stdout.write(f"catalogue: {added} products added, {len(CATALOGUE) - added} were there")
