"""`Idempotency-Key` on POST /api/orders: a request that is sent again, because its answer was lost, is one order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from apps.orders.models import Order
from config.limits import ORDER_MAX_TOTAL_CENTS
from project.api import api
from tasks.enqueue.models import OutboxMessage
from tasks.execution.models import LedgerEntry
from tests import shop
from tests.concurrency import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ORDER = {"lines": [{"sku": "KNIFE", "quantity": 2}], "email": "ada@example.com", "payment_method": shop.VISA}
PROBLEM = "application/problem+json"


@pytest.fixture
def ada(client: Client) -> Client:
    """A customer who is logged in, in front of a catalogue of one."""
    shop.product("KNIFE", stock=100)
    client.force_login(shop.customer("ada"))
    return client


def post(client: Client, body: Any = ORDER, *, key: str | None = '"k1"') -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/api/orders", body, content_type="application/json", headers=headers)


def test_the_same_request_again_gets_the_first_answer_and_places_nothing(ada: Client) -> None:
    """The same status and the same bytes; a header notes it. One order, one fulfilment."""
    first, second = post(ada), post(ada)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["Content-Type"] == first.headers["Content-Type"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 1
    assert OutboxMessage.objects.count() == 1


def test_without_a_key_nothing_is_placed(ada: Client) -> None:
    answer = post(ada, key=None)

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROBLEM)
    problem = answer.json()
    assert problem["title"] == "Idempotency-Key is missing"
    assert problem["status"] == 400
    assert problem["type"].startswith("https://datatracker.ietf.org/")
    assert not Order.objects.exists()


def test_the_key_of_another_request_is_refused(ada: Client) -> None:
    post(ada)
    answer = post(ada, ORDER | {"email": "eve@example.com"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert answer.json()["title"] == "Idempotency-Key is already used"
    assert Order.objects.count() == 1


def test_a_new_key_is_a_new_order(ada: Client) -> None:
    assert post(ada, key='"k1"').json()["id"] != post(ada, key='"k2"').json()["id"]


def test_keys_belong_to_their_user(ada: Client) -> None:
    """Nobody gets at another's answer by guessing, or is refused because of another's key."""
    own = post(ada).json()["id"]
    eve = Client()
    eve.force_login(shop.customer("eve"))

    assert post(eve).json()["id"] != own


def test_a_refused_order_is_refused_again_in_the_same_words(ada: Client) -> None:
    shop.product("GOLD", price_cents=ORDER_MAX_TOTAL_CENTS)
    dear = ORDER | {"lines": [{"sku": "GOLD", "quantity": 2}]}

    first, second = post(ada, dear), post(ada, dear)

    assert (first.status_code, second.status_code) == (422, 422)
    assert second.content == first.content
    assert second.headers["Idempotency-Replayed"] == "true"


def test_what_a_login_or_a_token_was_missing_for_consumes_no_key(ada: Client) -> None:
    """The same request with what was missing is carried out."""
    without_token = Client(enforce_csrf_checks=True)
    without_token.force_login(shop.customer("ada"))

    assert post(Client()).status_code == 401
    assert post(without_token).status_code == 403
    assert not LedgerEntry.objects.exists()
    assert post(ada).status_code == 201


def test_requests_that_arrive_together_are_one_order(ada: Client) -> None:
    """Some wait and get the answer, some are told to come again; none places a second order."""

    def send() -> Any:
        client = Client()
        client.force_login(shop.customer("ada"))
        return post(client)

    answers: list[Any] = at_once(8, send)

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert Order.objects.count() == 1
    assert OutboxMessage.objects.count() == 1


def test_while_the_first_is_being_answered_the_second_is_told_to_come_again(ada: Client) -> None:
    """Its transaction has the key's row; here somebody else has, which is the same to the second."""
    post(ada)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM tasks_ledger FOR UPDATE")
        try:
            answers: list[Any] = at_once(1, lambda: post(_as_ada()))
        finally:
            cursor.execute("ROLLBACK")

    (answer,) = answers
    assert (answer.status_code, answer.headers["Content-Type"]) == (409, PROBLEM)
    assert answer.json()["title"] == "A request is outstanding for this Idempotency-Key"
    assert answer.headers["Retry-After"] == "1"
    assert post(ada).headers["Idempotency-Replayed"] == "true"


def test_an_order_that_fails_in_the_middle_leaves_neither_itself_nor_its_key(
    ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stored answer and the order are one transaction."""
    ada.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr("apps.orders.api.fulfilment", _broken)
        assert post(ada).status_code == 500

    assert not Order.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert post(ada).status_code == 201


def test_the_openapi_document_tells_of_the_header_and_of_what_is_answered() -> None:
    """So clients that are generated from it send one, and know what a 409 is."""
    document = json.loads(json.dumps(api.get_openapi_schema(path_prefix="")))
    operation = document["paths"]["/orders"]["post"]

    (header,) = [parameter for parameter in operation["parameters"] if parameter["in"] == "header"]
    assert (header["name"], header["required"]) == ("Idempotency-Key", True)
    assert {"201", "400", "409", "422"} <= operation["responses"].keys()
    assert operation["responses"]["422"]["content"].keys() == {"application/json", PROBLEM}


def _as_ada() -> Client:
    client = Client()
    client.force_login(shop.customer("ada"))
    return client


def _broken(order_id: int) -> None:
    raise RuntimeError(order_id)
