"""What people do, in a browser: log in, order, send a photograph, and watch the workers do the rest."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import FilePayload, Page, expect

from project.env import PROJECT_ROOT
from project.local.smtp_sink import read_mails
from project.local.stack import Stack
from tasks.testing.waiting import eventually
from tests.browser.conftest import PATIENCE_MS

PHOTO = PROJECT_ROOT / "project" / "local" / "demo" / "photos" / "rocket.jpg"

WORKER_OF = {"critical": "critical", "high": "default", "default": "default", "low": "low", "media": "media"}
PATIENCE = timedelta(milliseconds=PATIENCE_MS)

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.timeout(300)  # the first test starts the whole stack


def test_a_stranger_is_asked_to_log_in(page: Page) -> None:
    """A wrong password is refused with a sentence, and leads nowhere."""
    expect(page).to_have_url(re.compile(r"/login/\?next=/"))

    page.get_by_label("Name").fill("staff")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_text("Please enter a correct username and password.")).to_be_visible()


def test_an_order_is_placed_and_fulfilled_before_ones_eyes(staff: Page, stack: Stack) -> None:
    """The page follows the workers by itself, step by step; the mail is out when it says so."""
    staff.get_by_label("Grafting knife").fill("2")
    staff.get_by_label("E-mail").fill("ada@example.com")
    staff.get_by_label("Card").select_option("Visa")
    staff.get_by_role("button", name="Place the order").click()

    expect(staff.locator("h1 .state")).to_have_text("Fulfilled")
    steps = staff.locator("#steps tbody tr")
    assert [row.locator("td").nth(0).inner_text() for row in steps.all()] == ["reserve", "charge", "ship", "confirm"]
    expect(staff.locator("#steps .bad")).to_have_count(0)
    heading = staff.get_by_role("heading", level=1).inner_text()
    number = re.search(r"\d+", heading)
    assert number
    assert f"Your order {number[0]} is on its way" in [mail["Subject"] for mail in read_mails(stack.mail)]


def test_a_declined_card_is_told_with_its_reason(staff: Page) -> None:
    """And the order is shown as cancelled in the list."""
    staff.get_by_label("Grafting tape, 20 m").fill("1")
    staff.get_by_label("E-mail").fill("ada@example.com")
    staff.get_by_label("Card").select_option("A card that is declined")
    staff.get_by_role("button", name="Place the order").click()

    expect(staff.locator("h1 .state")).to_have_text("Cancelled")
    expect(staff.locator(".message.error")).to_contain_text("declined")
    staff.get_by_role("link", name="Orders").click()
    expect(staff.locator("tbody tr", has_text="Grafting tape").locator(".state.bad").first).to_have_text("Cancelled")


def test_a_photograph_is_sent_and_its_renditions_are_seen(staff: Page) -> None:
    """Three sizes, loaded by the browser itself, each as wide as it says."""
    staff.get_by_role("link", name="Images").click()
    staff.locator("#id_file").set_input_files(PHOTO)
    staff.get_by_role("button", name="Send it").click()

    expect(staff.locator("h1 .state")).to_have_text("Published")
    pictures = staff.locator(".gallery img")
    expect(pictures).to_have_count(3)
    for picture in pictures.all():
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") == int(picture.get_attribute("width") or 0) > 0


def test_what_is_no_photograph_is_told_so_and_the_worker_lives(staff: Page, stack: Stack) -> None:
    """A text that calls itself a JPEG: a clear error on the page."""
    staff.get_by_role("link", name="Images").click()
    picture: FilePayload = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": b"this is no picture"}
    worker = stack.process("worker_media").pid
    staff.locator("#id_file").set_input_files(picture)
    staff.get_by_role("button", name="Send it").click()

    expect(staff.locator(".message.error, .errorlist").first).to_be_visible()
    assert stack.process("worker_media").pid == worker
    assert stack.process("worker_media").alive


def test_the_operations_page_shows_every_queue_with_its_worker(staff: Page) -> None:
    """For staff; the same as the probe says."""
    staff.get_by_role("link", name="Operations").click()

    def every_queue_has_its_worker() -> bool:
        staff.reload()  # a worker that is busy for the second that it is given is missing on the page
        rows = {queue: staff.locator("#queues tr", has_text=queue).first.inner_text() for queue in WORKER_OF}
        return all(f"{WORKER_OF[queue]}@" in row for queue, row in rows.items())

    eventually(every_queue_has_its_worker, within=PATIENCE, because=staff.locator("#queues").inner_text)


def test_every_page_fits_a_telephone(staff: Page, subtests: pytest.Subtests) -> None:
    """Nothing sticks out to the side, so that nobody has to push the page around."""
    staff.set_viewport_size({"width": 390, "height": 844})
    for path in ("/orders/", "/images/", "/reports/", "/supplier/", "/notifications/", "/ops/"):
        with subtests.test(path):
            staff.goto(path)
            assert staff.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
