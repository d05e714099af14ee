"""Why an order can't be placed or carried on."""

from __future__ import annotations

from tasks import Permanent


class UnknownProduct(ValueError):
    """An order names products that are not in the catalogue."""

    def __init__(self, skus: tuple[str, ...]) -> None:
        super().__init__(skus)
        self.skus = skus

    def __str__(self) -> str:
        return f"not in the catalogue: {', '.join(self.skus)}"


class AmountOutOfRange(ValueError):
    """An order's total is more than can be charged at once."""

    def __init__(self, total_cents: int, most_cents: int) -> None:
        super().__init__(total_cents, most_cents)
        self.total_cents, self.most_cents = total_cents, most_cents

    def __str__(self) -> str:
        return f"the order comes to {self.total_cents} cents; the most that can be charged at once is {self.most_cents}"


class OutOfStock(Permanent):
    """There is less of a product than was ordered."""

    def __init__(self, sku: str, wanted: int, left: int) -> None:
        super().__init__(sku, wanted, left)
        self.sku, self.wanted, self.left = sku, wanted, left

    def __str__(self) -> str:
        return f"out of stock: {self.wanted} × {self.sku} ordered, {self.left} left"


class RefundBegun(Permanent):
    """A cancelled order can't be taken up again: its money is being given back, or has been."""

    def __init__(self, order_id: int) -> None:
        super().__init__(order_id)
        self.order_id = order_id

    def __str__(self) -> str:
        return f"order {self.order_id} is being refunded, or was: place another one"


class WrongState(Permanent):
    """A step met an order that it doesn't apply to."""

    def __init__(self, order_id: int, step: str, state: str) -> None:
        super().__init__(order_id, step, state)
        self.order_id, self.step, self.state = order_id, step, state

    def __str__(self) -> str:
        return f"order {self.order_id} is {self.state}: {self.step} does not apply"
