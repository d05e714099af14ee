"""The payment sandbox when it is killed, told to go wrong, or given damaged books."""

from __future__ import annotations

import itertools
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from project.local.ports import HOST
from project.local.waiting import wait_until
from tests.servers.payment_sandbox import PaymentSandbox

GOOD = {"amount": "1250", "currency": "eur", "confirm": "true", "payment_method": "pm_card_visa"}


def pay(sandbox: PaymentSandbox, key: str, **changes: str) -> httpx.Response:
    headers = {"Authorization": "Bearer sk_test_suite", "Idempotency-Key": key}
    with httpx.Client(trust_env=False, timeout=20) as client:
        return client.post(f"{sandbox.url}/v1/payment_intents", data={**GOOD, **changes}, headers=headers)


def test_sigkill_and_a_restart_keep_the_books_and_the_answers(payment_sandbox: PaymentSandbox) -> None:
    """Whatever was answered before the kill is answered again after it, and nobody has paid twice."""
    answered: dict[str, str] = {}
    numbers = itertools.count()
    killed = threading.Event()

    def keep_paying() -> None:
        while not killed.is_set():
            key = f"order-{next(numbers)}"
            try:
                answered[key] = pay(payment_sandbox, key).json()["id"]
            except httpx.TransportError:
                return

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(keep_paying) for _ in range(4)]
        assert wait_until(lambda: len(answered) >= 20, within=timedelta(seconds=60))
        payment_sandbox.kill()
        killed.set()
        for run in runs:
            run.result()
    payment_sandbox.start()
    charged = {charge["idempotency_key"]: charge["id"] for charge in payment_sandbox.books()["charges"]}
    assert answered.items() <= charged.items()
    for key, payment_id in answered.items():
        replayed = pay(payment_sandbox, key)
        assert (replayed.json()["id"], replayed.headers["idempotent-replayed"]) == (payment_id, "true")
    assert len(payment_sandbox.books()["charges"]) == len(charged)


def test_an_entry_that_was_cut_off_never_happened(payment_sandbox: PaymentSandbox) -> None:
    """A SIGKILL in the middle of a write leaves half a line; the sandbox starts all the same and goes on after it."""
    pay(payment_sandbox, "order-1")
    payment_sandbox.kill()
    whole = payment_sandbox.books_file.read_bytes()
    payment_sandbox.books_file.write_bytes(whole + whole[: len(whole) // 2])
    payment_sandbox.start()
    assert payment_sandbox.books_file.read_bytes() == whole
    pay(payment_sandbox, "order-2")
    payment_sandbox.kill()
    payment_sandbox.start()
    assert [charge["idempotency_key"] for charge in payment_sandbox.books()["charges"]] == ["order-1", "order-2"]


def test_damaged_books_are_not_opened(payment_sandbox: PaymentSandbox) -> None:
    """Leaving a charge out in silence would let its key charge again."""
    pay(payment_sandbox, "order-1")
    payment_sandbox.stop()
    payment_sandbox.books_file.write_bytes(b"{broken\n" + payment_sandbox.books_file.read_bytes())
    assert payment_sandbox.try_to_start() == 1
    assert "line 1 of" in payment_sandbox.log_file.read_text()


def test_two_sandboxes_do_not_share_books(payment_sandbox: PaymentSandbox, tmp_path: Path) -> None:
    """Each would know only its own half of the keys."""
    second = PaymentSandbox(tmp_path)
    assert second.try_to_start() == 1
    assert "another payment sandbox keeps its books" in second.log_file.read_text()
    assert pay(payment_sandbox, "order-1").status_code == 200


def test_a_port_that_is_taken_is_said(payment_sandbox: PaymentSandbox, tmp_path: Path) -> None:
    """One line, not a traceback."""
    second = PaymentSandbox(tmp_path / "second")
    second.log_file.parent.mkdir()
    second.port = payment_sandbox.port
    assert second.try_to_start() == 1
    said = second.log_file.read_text()
    assert f"can't serve 127.0.0.1:{payment_sandbox.port}" in said
    assert "Traceback" not in said


def test_open_and_hanging_connections_do_not_keep_it_from_stopping(payment_sandbox: PaymentSandbox) -> None:
    """Ctrl-C on `./run up` must end everything at once."""
    payment_sandbox.fault_arm("hang", seconds=500, when="before", idempotency_key="order-1")
    payment_sandbox.fault_arm("hang", seconds=500, when="during", idempotency_key="order-2")
    idle = socket.create_connection((HOST, payment_sandbox.port))
    with idle, ThreadPoolExecutor() as pool:
        hanging = [pool.submit(pay, payment_sandbox, key) for key in ("order-1", "order-2")]
        assert wait_until(lambda: not payment_sandbox.faults(), within=timedelta(seconds=30))
        assert payment_sandbox.stop() == 0
        for request in hanging:
            with pytest.raises(httpx.TransportError):
                request.result()
    payment_sandbox.start()
    assert payment_sandbox.books()["charges"] == []


@pytest.mark.parametrize("fault", ["status", "hang", "drop"])
def test_a_fault_before_charging_leaves_no_trace(payment_sandbox: PaymentSandbox, fault: str) -> None:
    """As if the request had never arrived: the next one under the key is the first."""
    figures = {"status": 503} if fault == "status" else {"seconds": 0.2}
    payment_sandbox.fault_arm(fault, when="before", idempotency_key="order-7", times=2, **figures)
    for _ in range(2):
        assert_no_payment(payment_sandbox, fault)
        assert payment_sandbox.books()["charges"] == []
    assert "idempotent-replayed" not in pay(payment_sandbox, "order-7").headers
    assert payment_sandbox.books()["totals"]["eur"]["charged"] == 1250


@pytest.mark.parametrize("fault", ["status", "hang", "drop"])
def test_a_fault_after_charging_loses_the_answer_alone(payment_sandbox: PaymentSandbox, fault: str) -> None:
    """The money is taken and the caller doesn't know: exactly what an idempotency key is for."""
    figures = {"status": 503} if fault == "status" else {"seconds": 0.2}
    payment_sandbox.fault_arm(fault, when="after", idempotency_key="order-7", times=2, **figures)
    for _ in range(2):
        assert_no_payment(payment_sandbox, fault)
        assert payment_sandbox.books()["totals"]["eur"]["charged"] == 1250
    assert pay(payment_sandbox, "order-7").headers["idempotent-replayed"] == "true"
    assert payment_sandbox.books()["totals"]["eur"]["charged"] == 1250


def assert_no_payment(sandbox: PaymentSandbox, fault: str) -> None:
    if fault == "status":
        failed = pay(sandbox, "order-7")
        assert (failed.status_code, failed.json()["error"]["type"]) == (503, "api_error")
    else:
        with pytest.raises(httpx.RemoteProtocolError):
            pay(sandbox, "order-7")


def test_a_request_that_failed_while_carried_out_keeps_failing(payment_sandbox: PaymentSandbox) -> None:
    """Stripe keeps the answer of a request that began, an error 500 too, over a restart as well."""
    payment_sandbox.fault_arm("status", status=500, when="during", idempotency_key="order-7")
    assert pay(payment_sandbox, "order-7").status_code == 500
    payment_sandbox.kill()
    payment_sandbox.start()
    again = pay(payment_sandbox, "order-7")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (500, "true")
    assert payment_sandbox.books()["charges"] == []


def test_a_fault_happens_to_its_key_or_to_any_for_so_many_times(payment_sandbox: PaymentSandbox) -> None:
    """The demo lets one order in twenty fail twice, and no other."""
    payment_sandbox.fault_arm("status", status=429, idempotency_key="order-7", times=2)
    assert pay(payment_sandbox, "order-6").status_code == 200
    assert pay(payment_sandbox, "order-7").json()["error"]["code"] == "rate_limit"
    payment_sandbox.fault_arm("status", status=502)
    assert [fault["times"] for fault in payment_sandbox.faults()] == [1, 1]
    assert pay(payment_sandbox, "order-8").status_code == 502
    assert pay(payment_sandbox, "order-8").status_code == 200
    payment_sandbox.faults_clear()
    assert pay(payment_sandbox, "order-7").status_code == 200


@pytest.mark.parametrize(
    "description",
    [
        b"not JSON",
        b"[]",
        b"{}",
        b'{"fault": "explode"}',
        b'{"fault": ["hang"]}',
        b'{"fault": "drop", "when": "during"}',
        b'{"fault": "status", "status": 200}',
        b'{"fault": "hang", "seconds": -1}',
        b'{"fault": "hang", "seconds": NaN}',
        b'{"fault": "drop", "times": 0}',
        b'{"fault": "drop", "idempotency_key": 7}',
        b'{"fault": "drop", "key": "order-7"}',
    ],
)
def test_a_fault_that_means_nothing_is_refused(shared_payment_sandbox: PaymentSandbox, description: bytes) -> None:
    """A misspelt fault that is ignored would leave a test testing nothing."""
    with httpx.Client(base_url=shared_payment_sandbox.url, trust_env=False) as client:
        refused = client.post("/sandbox/faults", content=description)
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
    assert shared_payment_sandbox.faults() == []
