"""A person finds a dead letter by its cause, in the admin, and sends the job on its way again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tasks.testing.waiting import eventually
from tests.browser.conftest import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.timeout(300)  # the first test starts the whole stack


def test_a_declined_payment_is_found_by_its_cause_and_redriven(staff: Page) -> None:
    """The bank hasn't changed its mind: it dies once more, and its letter tells of both deaths and of the redrive."""
    staff.get_by_label("Grafting tape, 20 m").fill("1")
    staff.get_by_label("E-mail").fill("ada@example.com")
    staff.get_by_label("Card").select_option("A card that is declined")
    staff.get_by_role("button", name="Place the order").click()
    expect(staff.locator("h1 .state")).to_have_text("Cancelled")

    staff.goto("/admin/tasks/deadletter/")
    staff.get_by_role("link", name="By cause").click()
    cause = staff.locator("#result_list tbody tr", has_text="orders.charge_payment")
    expect(cause).to_contain_text("CardDeclined")
    expect(cause.locator("svg.sparkline rect").first).to_be_visible()
    cause.locator("td.number a").click()
    staff.get_by_role("link", name="orders.charge_payment").first.click()
    expect(staff.locator(".chain")).to_contain_text("orders.request_shipment")
    expect(staff.locator("details[open] pre")).to_contain_text("CardDeclined")

    staff.get_by_role("link", name="Redrive…").click()
    expect(staff.locator(".problem")).to_have_count(0)
    staff.get_by_role("button", name="Redrive").click()
    expect(staff.locator(".messagelist")).to_contain_text("The job orders.charge_payment is on its way again")

    def has_died_again() -> bool:
        staff.reload()
        return staff.get_by_text("died again").count() > 0

    eventually(has_died_again, within=timedelta(milliseconds=PATIENCE_MS))
    expect(staff.get_by_text("died again")).to_be_visible()
    expect(staff.locator(".facts").nth(1)).to_contain_text("2, after 0 retries")
