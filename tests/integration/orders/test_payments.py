"""Charging, refunding and finding through the real stripe SDK, against a real sandbox that fails when told to."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic

import httpx
import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.orders import payments
from apps.orders.payment_errors import CardDeclined, PaymentRefused, PaymentUnavailable
from apps.orders.payments import Charge, payment_charge, payment_find, payment_refund
from project.local.ports import HOST
from project.local.waiting import wait_until
from tests.servers.payment_sandbox import PaymentSandbox


def charge(*, key: str = "order-7", amount_cents: int = 1250, card: str = "pm_card_visa") -> Charge:
    return payment_charge(
        order_id=int(key.removeprefix("order-")),
        amount_cents=amount_cents,
        currency="eur",
        payment_method=card,
        idempotency_key=key,
    )


def charged_cents(sandbox: PaymentSandbox) -> int:
    return sum(total["charged"] for total in sandbox.books()["totals"].values())


def test_a_charge_is_in_the_providers_books(payment_sandbox: PaymentSandbox) -> None:
    """What we note as paid is what the provider took, and it knows for which order."""
    taken = charge()
    (booked,) = payment_sandbox.books()["charges"]
    assert taken == Charge(id=booked["id"], order_id=7, amount_cents=1250, currency="eur")
    assert (booked["idempotency_key"], booked["metadata"]) == ("order-7", {"order_id": "7"})


def test_charging_again_under_the_key_charges_once(payment_sandbox: PaymentSandbox) -> None:
    """A task may be delivered twice; the second delivery gets the first one's charge."""
    assert charge() == charge()
    assert charged_cents(payment_sandbox) == 1250


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("fault", "figures", "reason"),
    [
        ("status", {"status": 429}, "HTTP 429"),
        ("status", {"status": 500}, "HTTP 500"),
        ("status", {"status": 503}, "HTTP 503"),
        ("hang", {"seconds": 30}, "ReadTimeout"),
        ("drop", {}, "ConnectionError"),
    ],
)
def test_trouble_at_the_provider_is_transient_and_a_repetition_charges_once(
    payment_sandbox: PaymentSandbox,
    settings: Settings,
    fault: str,
    figures: dict[str, int],
    reason: str,
    when: str,
) -> None:
    """Whether the money was taken before the answer got lost or not: two failures and a success are one charge."""
    if fault == "hang":
        settings.STRIPE_TIMEOUT = timedelta(seconds=1)
    payment_sandbox.fault_arm(fault, when=when, idempotency_key="order-7", times=2, **figures)
    for _ in range(2):
        started = monotonic()
        with pytest.raises(PaymentUnavailable) as caught:
            charge()
        assert caught.value.reason == reason
        assert monotonic() - started < 20
    settings.STRIPE_TIMEOUT = timedelta(seconds=10)
    taken = charge()
    assert [booked["id"] for booked in payment_sandbox.books()["charges"]] == [taken.id]
    assert charged_cents(payment_sandbox) == 1250


def test_an_absent_provider_is_transient(payment_sandbox: PaymentSandbox) -> None:
    """It is started again sooner or later, and the charge goes through then."""
    payment_sandbox.kill()
    with pytest.raises(PaymentUnavailable, match="charge order-7"):
        charge()
    payment_sandbox.start()
    assert charge().amount_cents == 1250


def test_a_key_that_is_still_in_use_is_transient(payment_sandbox: PaymentSandbox) -> None:
    """Another delivery is charging at this moment; its answer is there a little later."""
    payment_sandbox.fault_arm("hang", when="during", idempotency_key="order-7", seconds=2)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(charge)
        assert wait_until(lambda: not payment_sandbox.faults(), within=timedelta(seconds=30))
        with pytest.raises(PaymentUnavailable, match="HTTP 409"):
            charge()
        assert charge_until_answered() == first.result()
    assert charged_cents(payment_sandbox) == 1250


def charge_until_answered() -> Charge:
    answers: list[Charge] = []

    def answered() -> bool:
        try:
            answers.append(charge())
        except PaymentUnavailable:
            return False
        return True

    assert wait_until(answered, within=timedelta(seconds=30))
    return answers[0]


def test_twenty_threads_with_one_key_charge_once(payment_sandbox: PaymentSandbox) -> None:
    """The client is shared by a process' threads; each call comes to the one charge or to a transient error."""

    def attempt(_: int) -> Charge | None:
        try:
            return charge()
        except PaymentUnavailable:
            return None

    with ThreadPoolExecutor(20) as pool:
        answers = {answer for answer in pool.map(attempt, range(20)) if answer is not None}
    assert len(answers) == 1
    assert charged_cents(payment_sandbox) == 1250


def test_a_forked_child_has_connections_of_its_own(payment_sandbox: PaymentSandbox) -> None:
    """Prefork workers fork after the parent may have charged; on a shared connection answers would be mixed up."""
    charge(key="order-1")
    inherited = payments._client()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            charge(key="order-2")
            status = 0 if payments._client() is not inherited else 2
        finally:
            os._exit(status)
    charge(key="order-3")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert payments._client() is inherited
    assert payment_sandbox.books()["totals"]["eur"]["paid"] == 3


@pytest.mark.parametrize(
    ("card", "decline_code", "sentence"),
    [
        ("pm_card_visa_chargeDeclined", "generic_decline", "Your card was declined."),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds", "Your card has insufficient funds."),
    ],
)
def test_a_declined_card_is_permanent(
    payment_sandbox: PaymentSandbox, card: str, decline_code: str, sentence: str
) -> None:
    """The bank's reason is kept for the customer, and asking again under the key gets the same."""
    for _ in range(2):
        with pytest.raises(CardDeclined, match=sentence) as caught:
            charge(card=card)
        assert (caught.value.code, caught.value.decline_code) == ("card_declined", decline_code)
    assert charged_cents(payment_sandbox) == 0


def test_a_key_with_another_amount_is_refused(payment_sandbox: PaymentSandbox) -> None:
    """An order's amount must not change after charging has begun; if it does, nobody is charged a second time."""
    charge()
    with pytest.raises(PaymentRefused, match="only be used with the same parameters") as caught:
        charge(amount_cents=9900)
    assert (caught.value.status, caught.value.kind) == (400, "idempotency_error")
    assert charged_cents(payment_sandbox) == 1250


@pytest.mark.parametrize(
    ("amount_cents", "card", "reason"),
    [(1, "pm_card_visa", "Amount must be at least"), (1250, "pm_card_nobody", "No such PaymentMethod")],
)
def test_an_invalid_request_is_refused_with_the_providers_reason(
    payment_sandbox: PaymentSandbox, amount_cents: int, card: str, reason: str
) -> None:
    """Trying again can't help, and whoever looks at it has the provider's own request id."""
    with pytest.raises(PaymentRefused, match=reason) as caught:
        charge(amount_cents=amount_cents, card=card)
    assert str(caught.value.request_id) in str(caught.value)


def test_a_wrong_api_key_is_refused_and_told_to_nobody(
    payment_sandbox: PaymentSandbox, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The error ends up in logs and dead letters."""
    caplog.set_level("DEBUG")
    settings.STRIPE_API_KEY = "sk_live_51abcdef"
    with pytest.raises(PaymentRefused, match="check STRIPE_API_KEY") as caught:
        charge()
    error = caught.value
    assert (error.status, error.__cause__) == (401, None)
    assert "51abcdef" not in repr((error, error.args)) + caplog.text + payment_sandbox.log_file.read_text()


def test_a_charge_is_refunded_once(payment_sandbox: PaymentSandbox) -> None:
    """A refund whose answer is lost is asked for again under its key."""
    taken = charge()
    payment_sandbox.fault_arm("drop", when="after", idempotency_key="refund-order-7")
    with pytest.raises(PaymentUnavailable, match="refund refund-order-7"):
        payment_refund(charge_id=taken.id, idempotency_key="refund-order-7")
    first = payment_refund(charge_id=taken.id, idempotency_key="refund-order-7")
    assert payment_refund(charge_id=taken.id, idempotency_key="refund-order-7") == first
    assert payment_sandbox.books()["totals"] == {"eur": {"paid": 1, "charged": 1250, "refunded": 1250}}


def test_a_refund_whose_key_the_provider_has_forgotten_is_the_one_that_was_made(
    payment_sandbox: PaymentSandbox,
) -> None:
    """It keeps a key for a day; a dead refund may be redriven after a week."""
    taken = charge()
    first = payment_refund(charge_id=taken.id, idempotency_key="refund-order-7")
    assert payment_refund(charge_id=taken.id, idempotency_key="as good as forgotten") == first
    assert payment_sandbox.books()["totals"] == {"eur": {"paid": 1, "charged": 1250, "refunded": 1250}}


def test_a_refund_of_nothing_is_refused(payment_sandbox: PaymentSandbox) -> None:
    """A charge that the provider doesn't know is a bug of ours."""
    with pytest.raises(PaymentRefused, match="No such payment_intent"):
        payment_refund(charge_id="pi_nobody", idempotency_key="refund-order-7")


def test_a_charge_whose_answer_was_lost_is_found(payment_sandbox: PaymentSandbox) -> None:
    """A cancelled order asks whether it was charged after all, among more payments than fit on one page."""
    started_at = timezone.now()
    payment_sandbox.fault_arm("drop", when="after", idempotency_key="order-7")
    with pytest.raises(PaymentUnavailable):
        charge()
    with ThreadPoolExecutor(4) as pool:
        others = list(pool.map(lambda number: charge(key=f"order-{number}"), range(100, 100 + payments.PAGE_SIZE)))
    found = payment_find(order_id=7, started_at=started_at)
    assert found is not None
    assert found == charge()
    assert found not in others


def test_what_was_not_paid_is_not_found(payment_sandbox: PaymentSandbox) -> None:
    """A declined card has a payment at the provider, but nothing was taken; and orders 7 and 77 are two."""
    started_at = timezone.now()
    with pytest.raises(CardDeclined):
        charge(card="pm_card_visa_chargeDeclined")
    charge(key="order-77")
    assert payment_find(order_id=7, started_at=started_at) is None


def test_finding_says_when_the_provider_can_not_be_asked(payment_sandbox: PaymentSandbox) -> None:
    """`not charged` because nobody answered would keep a customer's money."""
    payment_sandbox.fault_arm("status", status=502)
    with pytest.raises(PaymentUnavailable, match="find the charge of order 7"):
        payment_find(order_id=7, started_at=timezone.now())


Answering = Callable[[bytes], None]


@pytest.fixture
def answering(settings: Settings) -> Iterator[Answering]:
    """A stand-in for what is between us and the provider; it answers whatever it is asked with the given bytes."""
    answers: list[bytes] = []
    with socket.create_server((HOST, 0)) as listener:
        settings.STRIPE_API_BASE = f"http://{HOST}:{listener.getsockname()[1]}/"

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answers.pop())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield answers.append
        thread.join(5)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 13\r\n\r\n<html></html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}",
        b"garbage\r\n\r\n",
    ],
    ids=["a page", "a page with 200", "half an answer", "an empty object", "no HTTP"],
)
def test_an_answer_that_can_not_be_read_is_transient(answering: Answering, answer: bytes) -> None:
    """The charge may have been made; only asking again under the key tells."""
    answering(answer)
    with pytest.raises(PaymentUnavailable) as caught:
        charge()
    assert "html" not in str(caught.value)


def test_a_charge_begun_before_a_deploy_is_finished_after_it(payment_sandbox: PaymentSandbox) -> None:
    """The parameters that are sent must stay as they are: other ones under the key are refused for 24 hours."""
    taken = charge()
    form = {
        "amount": "1250",
        "currency": "eur",
        "payment_method": "pm_card_visa",
        "allowed_payment_method_types[0]": "card",
        "confirm": "true",
        "error_on_requires_action": "true",
        "metadata[order_id]": "7",
    }
    headers = {"Authorization": "Bearer sk_test_hand", "Idempotency-Key": "order-7"}
    by_hand = httpx.post(f"{payment_sandbox.url}/v1/payment_intents", data=form, headers=headers, trust_env=False)
    assert (by_hand.json()["id"], by_hand.headers["idempotent-replayed"]) == (taken.id, "true")
