"""`Idempotency-Key` on HTTP requests, by draft-ietf-httpapi-idempotency-key-header-07.

    @idempotency_key_required                              # on a Django view
    def place(request): ...

    @router.post("", openapi_extra=IDEMPOTENCY_KEY)        # on an operation of django-ninja
    @decorate_view(idempotency_key_required)
    def place(request, payload: OrderIn): ...

What is answered:

- a missing key, or one that is none: 400. A key is a string of RFC 8941, as the draft has it; the same characters
  without the quotes are taken for the same key, because most clients send them so.
- the first request: the view's answer. The view and the stored answer are one transaction, committed or not at all.
- the same request again: the stored answer, with its status, body, type and `Location`, marked by
  `Idempotency-Replayed: true`.
- the same key with another path, query or body: 422. While the first is being answered: 409, and `Retry-After`.

Keys belong to a user and a route (method and URL pattern), for a day. An answer that says nothing about the request
itself consumes no key, and what its view wrote is rolled back: 5xx or an exception, and NOT_NOW.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from inspect import iscoroutinefunction
from typing import Any, Concatenate, Final, ParamSpec

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from .. import crashpoints
from ..errors import AnswerNotKept, KeyConflict
from ..keys import fingerprint
from .http_key import MalformedKey, key_read
from .http_problems import CONFLICT, IN_PROGRESS, MALFORMED, MISSING, UNAUTHENTICATED, problem
from .ledger import Busy, Claim, Done
from .ledgers.postgres import PostgresLedger

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

LEDGER: Final = PostgresLedger()
KEPT_FOR: Final = timedelta(days=1)
ANSWER_MAX_BYTES: Final = 64 * 1024
# How long a request waits for the first one under its key: enough for a double click, too short to hold up a server.
WAIT: Final = timedelta(milliseconds=300)
# "Not you", "not now", "come again": sent once more, the same request may be answered otherwise.
NOT_NOW: Final = frozenset({401, 403, 408, 409, 423, 425, 429})
KEPT_HEADERS: Final = ("Content-Type", "Location")


def idempotency_key_required(view: View[P]) -> View[P]:
    """Decorate *view*: a plain view, not an async one, for which `request.user` is known before it runs.

    Raises AnswerNotKept, with everything rolled back, for an answer that streams or is larger than ANSWER_MAX_BYTES.
    """
    if iscoroutinefunction(view):
        raise TypeError(f"{view} is async: its database work would be outside the transaction of its key")

    @wraps(view)
    def keyed(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        given = request.headers.get("Idempotency-Key")
        if not request.user.is_authenticated:
            return problem(UNAUTHENTICATED)
        if given is None:
            return problem(MISSING)
        try:
            key = f"http:{request.user.pk}:{_route(request)}:{key_read(given)}"
        except MalformedKey as malformed:
            return problem(MALFORMED, str(malformed))
        try:
            return _answered(request, key, lambda: view(request, *args, **kwargs))
        except KeyConflict:
            return problem(CONFLICT)

    return keyed


def _answered(request: HttpRequest, key: str, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    owner = f"{request.method} {request.path}"[:255]
    with LEDGER.once(key, fingerprint=_print_of(request), owner=owner, ttl=KEPT_FOR, wait=WAIT) as answer:
        if isinstance(answer, Done):
            return _replayed(answer.result)
        if isinstance(answer, Claim):
            response = view()
            if response.status_code >= 500 or response.status_code in NOT_NOW:
                transaction.set_rollback(True, using=LEDGER.alias)
            else:
                LEDGER.complete(answer, _kept(request, response), ttl=KEPT_FOR)
    if isinstance(answer, Busy):
        return problem(IN_PROGRESS)
    crashpoints.reach("after_commit", "web")
    return response


def _kept(request: HttpRequest, response: HttpResponseBase) -> dict[str, Any]:
    """What of an answer is stored."""
    if not isinstance(response, HttpResponse):
        raise AnswerNotKept(request.path, "streams")
    if hasattr(response, "render"):
        response.render()  # a TemplateResponse, which Django would render after the view
    if len(response.content) > ANSWER_MAX_BYTES:
        raise AnswerNotKept(request.path, f"takes {len(response.content)} bytes, more than {ANSWER_MAX_BYTES}")
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return {"status": response.status_code, "headers": headers, "body": response.content}


def _replayed(kept: dict[str, Any]) -> HttpResponse:
    response = HttpResponse(kept["body"], status=kept["status"], headers=kept["headers"])
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _route(request: HttpRequest) -> str:
    """What tells this route from every other, in few characters."""
    route = request.resolver_match.route if request.resolver_match else request.path
    return sha256(f"{request.method} {route}".encode()).hexdigest()[:16]


def _print_of(request: HttpRequest) -> str:
    """The same for requests that say the same."""
    parts: dict[str, Any] = {"query": request.META.get("QUERY_STRING", "")}
    if request.content_type == "multipart/form-data":  # its bytes differ each time, by their boundary
        parts["fields"] = sorted(request.POST.lists())
        parts["files"] = sorted(
            (name, file.name, _digest_of(file.chunks())) for name, files in request.FILES.lists() for file in files
        )
    else:
        parts["body"] = sha256(request.body).hexdigest()
    return fingerprint(request.path, parts)


def _digest_of(chunks: Any) -> str:
    digest = sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
