"""Requests at the same moment, made to meet where it would hurt."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from project.local.payment_sandbox.api import Api, Request
from project.local.payment_sandbox.books import Books
from project.local.payment_sandbox.form import form_decode
from project.local.payment_sandbox.journal import Journal
from project.local.payment_sandbox.keys import Answer

PAYMENT = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_visa"


class MeetingClock:
    """Once armed, whoever asks for the time waits a moment for a second who asks."""

    def __init__(self) -> None:
        self.meeting: threading.Barrier | None = None

    def __call__(self) -> float:
        if self.meeting is not None:
            with contextlib.suppress(threading.BrokenBarrierError):
                self.meeting.wait(timeout=0.5)
        return time.time()


def test_two_refunds_that_both_begin_are_one_refund(tmp_path: Path) -> None:
    """Between the look at the books and the entry in them nobody else may decide on the same money."""
    clock = MeetingClock()
    books = Books(Journal(tmp_path / "books.jsonl"), clock=clock)
    api = Api(books)

    def post(path: str, form: str) -> Answer:
        return api.answer(Request("POST", path, form_decode(form), None, "req_1"), None)

    payment_id = post("/v1/payment_intents", PAYMENT).body["id"]
    clock.meeting = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: post("/v1/refunds", f"payment_intent={payment_id}"), range(2)))
    assert sorted(answer.status for answer in answers) == [200, 400]
    assert books.overview()["totals"] == {"eur": {"paid": 1, "charged": 1250, "refunded": 1250}}
    books.close()
