"""From a request to its answer: the endpoints under /v1, and the keys and faults around each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from .books import Books, Outcome
from .errors import ApiError, invalid_request, unauthorized, unrecognized
from .faults import Fault
from .form import Form
from .keys import Answer, Use
from .payments import NewPayment, payment_list, payment_read
from .refunds import NewRefund, refund_list, refund_read

MAX_KEY_LENGTH: Final = 255


class Command(Protocol):
    """Something that a POST asks for, its parameters checked."""

    def carry_out(self, books: Books) -> Outcome:
        """Decide, under the books' lock, what comes of it. An ApiError raised here is an answer to keep."""


COMMANDS: Final[dict[str, Callable[[Form], Command]]] = {
    "/v1/payment_intents": NewPayment.read,
    "/v1/refunds": NewRefund.read,
}
LISTED: Final[dict[str, Callable[[Books, Form], dict[str, Any]]]] = {
    "/v1/payment_intents": payment_list,
    "/v1/refunds": refund_list,
}
READABLE: Final[dict[str, Callable[[Books, str], dict[str, Any]]]] = {
    "/v1/payment_intents": payment_read,
    "/v1/refunds": refund_read,
}


@dataclass(frozen=True)
class Request:
    """A request that was read and came with a key that is let in."""

    method: str
    path: str
    form: Form
    key: str | None
    id: str


def authorize(header: str | None) -> None:
    """Raise ApiError unless the header Authorization bears an API key for tests."""
    if not header:
        raise unauthorized(key_given=False)
    if not re.fullmatch(r"Bearer sk_test_\w+", header, re.ASCII):
        raise unauthorized(key_given=True)


class Api:
    """Answers requests out of the books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def answer(self, request: Request, during: Fault | None) -> Answer:
        """Carry *request* out, or refuse it. Raises OSError when the books can't be written."""
        try:
            if request.method == "POST":
                return self._carry_out(request, during)
            return self._read(request, during)
        except ApiError as error:
            return Answer(error.status, error.body, request.id)

    def _read(self, request: Request, during: Fault | None) -> Answer:
        if during is not None:
            during.delay()
        if request.method == "GET" and request.path in LISTED:
            return Answer(200, LISTED[request.path](self._books, request.form), request.id)
        collection, _, object_id = request.path.rpartition("/")
        read = READABLE.get(collection)
        if request.method != "GET" or read is None:
            raise unrecognized(request.method, request.path)
        return Answer(200, read(self._books, object_id), request.id)

    def _carry_out(self, request: Request, during: Fault | None) -> Answer:
        if request.path not in COMMANDS:
            raise unrecognized(request.method, request.path)
        if request.key is None:
            return self._execute(request, during)
        if len(request.key) > MAX_KEY_LENGTH:
            raise invalid_request(f"Idempotency keys are up to {MAX_KEY_LENGTH} characters long.")
        kept = self._books.keys.claim(request.key, _use(request), at=self._books.clock())
        if kept is not None:
            return replace(kept, request_id=request.id, original_request_id=kept.request_id)
        try:
            return self._execute(request, during)
        finally:
            self._books.keys.release(request.key)

    def _execute(self, request: Request, during: Fault | None) -> Answer:
        command = COMMANDS[request.path](request.form)  # what is refused here is not kept
        trouble = self._held_up(during)
        with self._books.lock:
            outcome = trouble or self._outcome(command)
            return self._books.record(outcome, request_id=request.id, key=request.key, use=_use(request))

    def _held_up(self, during: Fault | None) -> Outcome | None:
        try:
            if during is not None:
                during.delay()
        except ApiError as error:
            return Outcome(error.status, error.body)
        return None

    def _outcome(self, command: Command) -> Outcome:
        try:
            return command.carry_out(self._books)
        except ApiError as error:
            return Outcome(error.status, error.body)


def _use(request: Request) -> Use:
    """Which request it is, told apart from others that come with the same key."""
    parameters = json.dumps(request.form, sort_keys=True).encode()
    return Use(request.path, hashlib.sha256(parameters).hexdigest())
