"""The payment sandbox as Stripe's caller meets it: a real process, spoken to in plain HTTP.

Orders are tested against it, so what it gets wrong about Stripe is a bug that no test of an order can find.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest

from project.local.ports import HOST
from project.local.waiting import wait_until
from tests.servers.payment_sandbox import PROJECT_ROOT, PaymentSandbox

PAYMENTS = "/v1/payment_intents"
GOOD = {
    "amount": "1250",
    "currency": "eur",
    "confirm": "true",
    "payment_method": "pm_card_visa",
    "metadata[order_id]": "7",
}


def caller(sandbox: PaymentSandbox) -> httpx.Client:
    """A caller with an API key that is let in."""
    headers = {"Authorization": "Bearer sk_test_suite"}
    limits = httpx.Limits(max_connections=50)
    return httpx.Client(base_url=sandbox.url, headers=headers, timeout=20, trust_env=False, limits=limits)


@pytest.fixture
def http(payment_sandbox: PaymentSandbox) -> Iterator[httpx.Client]:
    """A caller of this test's own sandbox."""
    with caller(payment_sandbox) as client:
        yield client


@pytest.fixture
def shared_http(shared_payment_sandbox: PaymentSandbox) -> Iterator[httpx.Client]:
    """A caller of the sandbox that other tests use too."""
    with caller(shared_payment_sandbox) as client:
        yield client


def pay(http: httpx.Client, key: str | None = None, **changes: str) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return http.post(PAYMENTS, data={**GOOD, **changes}, headers=headers)


def error_of(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    assert response.headers["request-id"].startswith("req_")
    error = response.json()["error"]
    assert error["type"]
    assert error["message"]
    return dict(error)


def test_a_payment_is_in_the_books_to_the_cent(payment_sandbox: PaymentSandbox, http: httpx.Client) -> None:
    """The demo compares these books with the orders that were paid."""
    paid = pay(http, "order-7").json()
    assert (paid["object"], paid["status"], paid["amount_received"]) == ("payment_intent", "succeeded", 1250)
    assert http.get(f"{PAYMENTS}/{paid['id']}").json() == paid
    books = payment_sandbox.books()
    assert books["totals"] == {"eur": {"paid": 1, "charged": 1250, "refunded": 0}}
    assert books["charges"] == [
        {
            "id": paid["id"],
            "idempotency_key": "order-7",
            "metadata": {"order_id": "7"},
            "amount": 1250,
            "currency": "eur",
            "status": "succeeded",
            "refunded": 0,
        }
    ]


def test_the_same_request_again_gets_the_kept_answer(payment_sandbox: PaymentSandbox, http: httpx.Client) -> None:
    """That is what makes a retry safe. The order in which parameters are sent does not make it another request."""
    first = pay(http, "order-7")
    reversed_form = dict(reversed(GOOD.items()))
    again = http.post(PAYMENTS, data=reversed_form, headers={"Idempotency-Key": "order-7"})
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert (again.status_code, again.content) == (200, first.content)
    assert len(payment_sandbox.books()["charges"]) == 1


def test_a_key_is_refused_for_another_request(payment_sandbox: PaymentSandbox, http: httpx.Client) -> None:
    """A key that comes with another amount is a bug of the caller's; replaying the old answer would hide it."""
    paid = pay(http, "order-7").json()
    other_amount = pay(http, "order-7", amount="9900")
    other_endpoint = http.post(
        "/v1/refunds", data={"payment_intent": paid["id"]}, headers={"Idempotency-Key": "order-7"}
    )
    for refused in (other_amount, other_endpoint):
        assert (refused.status_code, error_of(refused)["type"]) == (400, "idempotency_error")
    assert payment_sandbox.books()["totals"] == {"eur": {"paid": 1, "charged": 1250, "refunded": 0}}


def test_a_key_is_in_use_while_its_first_request_runs(payment_sandbox: PaymentSandbox, http: httpx.Client) -> None:
    """Two deliveries of one task at the same time must not both charge."""
    payment_sandbox.fault_arm("hang", when="during", idempotency_key="order-7", seconds=2)
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(pay, http, "order-7")
        assert wait_until(lambda: not payment_sandbox.faults(), within=timedelta(seconds=30))
        conflict = pay(http, "order-7")
        assert (conflict.status_code, error_of(conflict)["code"]) == (409, "idempotency_key_in_use")
        assert slow.result().status_code == 200
    assert pay(http, "order-7").json() == slow.result().json()
    assert len(payment_sandbox.books()["charges"]) == 1


def test_twenty_requests_at_once_under_one_key_charge_once(payment_sandbox: PaymentSandbox, http: httpx.Client) -> None:
    """Each gets either the one answer or a conflict, and nothing else."""
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: pay(http, "order-7"), range(20)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    (only,) = payment_sandbox.books()["charges"]
    assert {answer.json()["id"] for answer in answers if answer.status_code == 200} == {only["id"]}


def test_without_a_key_every_request_charges(payment_sandbox: PaymentSandbox, http: httpx.Client) -> None:
    """As with Stripe: nothing is taken for a repetition that doesn't say so."""
    assert pay(http).json()["id"] != pay(http).json()["id"]
    assert payment_sandbox.books()["totals"]["eur"]["paid"] == 2


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"amount": ""}, "amount", "parameter_invalid_empty"),
        ({"amount": "12.50"}, "amount", "parameter_invalid_integer"),
        ({"amount": "1_250"}, "amount", "parameter_invalid_integer"),
        ({"amount": "-1250"}, "amount", "parameter_invalid_integer"),
        ({"amount": "0"}, "amount", "amount_too_small"),
        ({"amount": "49"}, "amount", "amount_too_small"),
        ({"amount": "100000000"}, "amount", "amount_too_large"),
        ({"currency": "xyz"}, "currency", None),
        ({"confirm": "false"}, "confirm", None),
        ({"confirm": "maybe"}, "confirm", None),
        ({"payment_method": ""}, "payment_method", "parameter_invalid_empty"),
        ({"allowed_payment_method_types[0]": "giropay"}, "allowed_payment_method_types", None),
        ({"metadata": "7"}, "metadata", None),
        ({"metadata[order_id]": "7" * 501}, "metadata", None),
        ({"amounts": "1250"}, "amounts", "parameter_unknown"),
    ],
)
def test_parameters_that_mean_nothing_are_refused_and_leave_the_key_free(
    shared_http: httpx.Client, change: dict[str, str], param: str, code: str | None
) -> None:
    """Stripe keeps no answer for a request that was never carried out: corrected, it may use the same key."""
    key = f"refused {change}"[:200]
    refused = pay(shared_http, key, **change)
    error = error_of(refused)
    assert (refused.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert error.get("code") == code
    accepted = pay(shared_http, key)
    assert (accepted.status_code, "idempotent-replayed" in accepted.headers) == (200, False)


@pytest.mark.parametrize(
    ("card", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ],
)
def test_a_declined_card_is_an_answer_that_is_kept(
    payment_sandbox: PaymentSandbox, http: httpx.Client, card: str, decline_code: str
) -> None:
    """A decline is what came of the request, so asking again under the same key changes nothing."""
    declined = pay(http, "order-7", payment_method=card)
    error = error_of(declined)
    assert (declined.status_code, error["type"], error["code"]) == (402, "card_error", "card_declined")
    assert error["decline_code"] == decline_code
    assert error["doc_url"]
    assert error["payment_intent"]["status"] == "requires_payment_method"
    again = pay(http, "order-7", payment_method=card)
    assert (again.status_code, again.content) == (402, declined.content)
    books = payment_sandbox.books()
    assert books["totals"] == {"eur": {"paid": 0, "charged": 0, "refunded": 0}}
    assert [charge["status"] for charge in books["charges"]] == ["requires_payment_method"]


def test_an_unknown_card_is_missing(shared_http: httpx.Client) -> None:
    """A card number or a token that was never made must not look like a decline."""
    response = pay(shared_http, payment_method="pm_card_nobody")
    error = error_of(response)
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert (error["code"], error["param"]) == ("resource_missing", "payment_method")


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer sk_live_51abcdef", "Basic c2tfdGVzdF94Og==", "sk_test_suite"]
)
def test_a_key_that_is_not_for_tests_is_not_let_in(shared_http: httpx.Client, authorization: str) -> None:
    """A live key here is a mistake, and is repeated neither in the answer nor in the log."""
    response = shared_http.get(PAYMENTS, headers={"Authorization": authorization})
    assert response.status_code == 401
    assert error_of(response)["type"] == "invalid_request_error"
    assert "51abcdef" not in response.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/charges"),
        ("POST", "/v1/charges"),
        ("DELETE", PAYMENTS),
        ("PUT", PAYMENTS),
        ("GET", "/v1/payment_intents/"),
        ("GET", "/v1/payment_intents/pi_nobody"),
        ("GET", "/v1/refunds/re_nobody"),
        ("POST", "/sandbox/books"),
    ],
)
def test_what_is_not_there_is_404_in_stripes_shape(shared_http: httpx.Client, method: str, path: str) -> None:
    """The SDK reads the body of every error; a page of HTML would end as an error of another kind."""
    response = shared_http.request(method, path)
    assert response.status_code == 404
    assert error_of(response)["type"] == "invalid_request_error"


def test_a_body_that_is_too_large_or_has_no_length_is_refused(shared_http: httpx.Client) -> None:
    """A server that reads whatever is sent can be filled up."""
    large = shared_http.post(PAYMENTS, data={**GOOD, "metadata[note]": "x" * 100_000})
    endless = shared_http.post(PAYMENTS, content=iter([b"amount=1"]))
    assert (large.status_code, endless.status_code) == (413, 411)
    error_of(large)
    error_of(endless)
    assert pay(shared_http).status_code == 200


def test_json_and_broken_forms_are_refused(shared_http: httpx.Client) -> None:
    """Stripe takes forms only; JSON read as a form would be a request without parameters."""
    as_json = shared_http.post(PAYMENTS, json={"amount": 1250})
    not_utf8 = shared_http.post(
        PAYMENTS, content=b"amount=%ff", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    contradictory = pay(shared_http, **{"amount[cents]": "1250"})
    for refused in (as_json, not_utf8, contradictory):
        assert refused.status_code == 400
        error_of(refused)


def test_what_is_not_http_is_refused_in_stripes_shape(payment_sandbox: PaymentSandbox) -> None:
    """The base class would answer in HTML."""
    with socket.create_connection((HOST, payment_sandbox.port), timeout=20) as connection:
        connection.sendall(b"BREW /v1/coffee HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert b'"invalid_request_error"' in answer


def test_payments_are_listed_newest_first_page_by_page(http: httpx.Client) -> None:
    """Reconciling walks these pages; one that is left out or comes twice is a charge misjudged."""
    ids = [pay(http, f"order-{number}").json()["id"] for number in range(5)]
    seen: list[str] = []
    more: dict[str, str | int] = {"limit": 2}
    while True:
        page = http.get(PAYMENTS, params=more).json()
        assert page["object"] == "list"
        seen += [payment["id"] for payment in page["data"]]
        if not page["has_more"]:
            break
        more["starting_after"] = seen[-1]
    assert seen == ids[::-1]


def test_payments_are_listed_by_the_time_of_their_creation(http: httpx.Client) -> None:
    """Bounds include or exclude their own second, as their names say."""
    created = pay(http).json()["created"]

    def count(**bounds: int) -> int:
        params = {f"created[{name}]": str(value) for name, value in bounds.items()}
        return len(http.get(PAYMENTS, params=params).json()["data"])

    assert count(gte=created) == count(lte=created) == count(gt=created - 1, lt=created + 1) == 1
    assert count(gt=created) == count(lt=created) == count(gte=created + 1) == 0
    assert len(http.get(PAYMENTS, params={"created": str(created)}).json()["data"]) == 1
    assert http.get(PAYMENTS, params={"limit": "0"}).status_code == 400
    assert http.get(PAYMENTS, params={"starting_after": "pi_nobody"}).status_code == 400


def test_a_payment_is_refunded_once(payment_sandbox: PaymentSandbox, http: httpx.Client) -> None:
    """Under one key by replay, under another by refusal, and at the same moment too."""
    payment_id = pay(http, "order-7").json()["id"]

    def refund(key: str) -> httpx.Response:
        return http.post("/v1/refunds", data={"payment_intent": payment_id}, headers={"Idempotency-Key": key})

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(refund, [f"refund-{number}" for number in range(10)]))
    (refunded,) = [answer.json() for answer in answers if answer.status_code == 200]
    refusals = [error_of(answer)["code"] for answer in answers if answer.status_code == 400]
    assert refusals == ["charge_already_refunded"] * 9
    assert http.get(f"/v1/refunds/{refunded['id']}").json() == refunded
    assert (refunded["amount"], refunded["payment_intent"]) == (1250, payment_id)
    assert payment_sandbox.books()["totals"] == {"eur": {"paid": 1, "charged": 1250, "refunded": 1250}}


def test_what_was_not_paid_is_not_refunded(shared_http: httpx.Client) -> None:
    """A declined payment has nothing to give back, and neither has one that never was."""
    declined = error_of(pay(shared_http, payment_method="pm_card_visa_chargeDeclined"))["payment_intent"]["id"]
    assert shared_http.post("/v1/refunds", data={"payment_intent": declined}).status_code == 400
    nobody = shared_http.post("/v1/refunds", data={"payment_intent": "pi_nobody"})
    assert error_of(nobody)["code"] == "resource_missing"


def test_help_tells_how_to_use_it() -> None:
    """It is a program of its own, and a newcomer's first question to it is --help."""
    command = [sys.executable, "-m", "project.local.payment_sandbox", "--help"]
    told = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert re.search(r"--host.*--port.*--books", told.stdout, re.DOTALL)
    assert "/sandbox/faults" in told.stdout
