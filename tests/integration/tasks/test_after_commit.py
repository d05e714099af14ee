"""Publishing after the commit: what is committed is sent, what is rolled back never; a mistake shows at the call."""

from __future__ import annotations

import pytest
from django.db import transaction

from apps.orders.tasks import reserve_stock
from tasks import PayloadRefused, UnknownTask, publish
from tasks.enqueue.after_commit import enqueue
from tests.servers.messages import messages_take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_broker")]


def test_a_rollback_sends_nothing() -> None:
    """A job for an order that doesn't exist would fail, or find somebody else's."""
    with transaction.atomic():
        publish("orders.refund_payment", order_id=1)
        enqueue(reserve_stock.si(1))
        transaction.set_rollback(True)

    assert messages_take("critical") == []
    assert messages_take("default") == []


def test_nothing_is_sent_before_the_commit_and_all_of_it_after() -> None:
    """A worker is quicker than a commit: sent too early, it would look for rows that it can't see."""
    with transaction.atomic():
        publish("orders.refund_payment", order_id=1)
        enqueue(reserve_stock.si(2))
        assert messages_take("critical") == []

    (refund,) = messages_take("critical")
    (reservation,) = messages_take("default")
    assert (refund.task, refund.args, refund.kwargs) == ("orders.refund_payment", [], {"order_id": 1})
    assert (reservation.task, reservation.args, reservation.kwargs) == ("orders.reserve_stock", [2], {})


def test_what_an_inner_block_rolled_back_is_not_sent_with_the_rest() -> None:
    """A savepoint takes its own back."""
    with transaction.atomic():
        publish("orders.refund_payment", order_id=1)
        with transaction.atomic():
            publish("orders.refund_payment", order_id=2)
            transaction.set_rollback(True)

    assert [message.kwargs for message in messages_take("critical")] == [{"order_id": 1}]


def test_outside_a_transaction_it_is_sent_at_once() -> None:
    """There is no commit to wait for."""
    publish("orders.refund_payment", order_id=1)

    assert len(messages_take("critical")) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "error", "sentence"),
    [
        ("orders.refund_paymnt", {"order_id": 1}, UnknownTask, "did you mean 'orders.refund_payment'?"),
        ("orders.refund_payment", {}, TypeError, "missing 1 required positional argument: 'order_id'"),
        ("orders.refund_payment", {"order": 1}, TypeError, "unexpected keyword argument 'order'"),
        ("orders.refund_payment", {"order_id": {1}}, PayloadRefused, "argument 'order_id' is a builtins.set"),
    ],
)
def test_a_call_that_cannot_be_carried_out_is_refused_where_it_is_made(
    name: str, arguments: dict[str, object], error: type[Exception], sentence: str
) -> None:
    """Not after the commit, when the rows are there; not in a worker, where nobody is left to tell."""
    with pytest.raises(error, match=sentence), transaction.atomic():
        publish(name, **arguments)

    assert messages_take("critical") == []
