"""The demo's verdict: it says yes to what is right, and each thing that can be wrong turns it to no."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from project.local.demo.evidence import RENDITIONS, Evidence, PlacedOrder, UploadedPhoto, discrepancies
from project.local.demo.plan import order_plan


def right() -> Evidence:
    """Six orders and one photo, all as they must be."""
    orders = [PlacedOrder(plan=plan, found=_found(plan)) for plan in order_plan(6)]
    fulfilled = [order for order in orders if order.plan.ends == "fulfilled"]
    sold = sum(order.plan.quantities["ROOT-001"] for order in fulfilled)
    return Evidence(
        orders=orders,
        photos=[UploadedPhoto(name="a.png", found=_photo())],
        charges=[{"order_id": str(order.plan.number), "amount": 1000} for order in fulfilled],
        confirmations=[f"Your order {order.plan.number} is on its way" for order in fulfilled],
        queue_depths={"default": 0},
        stock_before={"ROOT-001": 500},
        stock_after={"ROOT-001": 500 - sold},
    )


def _found(plan: Any) -> dict[str, Any]:
    steps = [{"name": step.rstrip("!"), "outcome": "failed" if step.endswith("!") else "done"} for step in plan.steps]
    return {"id": plan.number, "state": plan.ends, "total_cents": 1000, "cancel_reason": "", "steps": steps}


def _photo(**changes: Any) -> dict[str, Any]:
    renditions = [{"name": name} for name in RENDITIONS]
    return {"state": "published", "error": "", "renditions": renditions} | changes


def test_what_is_right_is_called_right() -> None:
    assert discrepancies(right()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda e: replace(e, charges=e.charges[1:]), "provider's books"),
        (lambda e: replace(e, charges=[*e.charges, e.charges[0]]), "provider's books"),
        (lambda e: replace(e, charges=[*e.charges[:-1], e.charges[0]]), "charged were the orders"),
        (lambda e: replace(e, confirmations=e.confirmations[1:]), "confirmations were mailed"),
        (lambda e: replace(e, confirmations=[*e.confirmations, e.confirmations[0]]), "confirmations were mailed"),
        (lambda e: replace(e, queue_depths={"media": 2}), "2 messages still wait in the queue media"),
        (lambda e: replace(e, stock_after={"ROOT-001": 500}), "in stock"),
        (lambda e: replace(e, photos=[UploadedPhoto(name="a", found=_photo(state="failed"))]), "not published"),
        (lambda e: replace(e, photos=[UploadedPhoto(name="a", found=_photo(renditions=[]))]), "renditions"),
        (lambda e: _with_order(e, state="cancelled"), "ended cancelled, not fulfilled"),
        (lambda e: _with_order(e, steps=[]), "order 1 went"),
    ],
)
def test_each_thing_that_is_wrong_is_told(change: Any, told: str) -> None:
    """A demo that can't fail would show nothing."""
    assert any(told in problem for problem in discrepancies(change(right())))


def _with_order(evidence: Evidence, **changes: Any) -> Evidence:
    first, *others = evidence.orders
    return replace(evidence, orders=[PlacedOrder(plan=first.plan, found=first.found | changes), *others])


def test_any_number_of_orders_can_be_planned() -> None:
    assert [plan.number for plan in order_plan(0)] == []
    assert {plan.ends for plan in order_plan(20)} == {"fulfilled", "cancelled"}
    assert sum(plan.timeouts for plan in order_plan(20)) == 2
