"""What is wrong with an idempotency key, as problem details (RFC 9457)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from django.http import JsonResponse

DOCUMENTATION: Final = "https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One kind of problem. The titles are those of the draft, where it has one."""

    status: int
    title: str
    detail: str
    type: str = DOCUMENTATION


MISSING: Final = Problem(
    status=400,
    title="Idempotency-Key is missing",
    detail="This operation needs an Idempotency-Key header: a new one, such as a UUID, for each new request.",
)
MALFORMED: Final = Problem(status=400, title="Idempotency-Key is malformed", detail="")
UNAUTHENTICATED: Final = Problem(
    status=401, title="Not logged in", detail="Idempotency keys belong to users.", type="about:blank"
)
IN_PROGRESS: Final = Problem(
    status=409,
    title="A request is outstanding for this Idempotency-Key",
    detail="A request with this key is being answered. Send this one again in a moment, as it is.",
)
CONFLICT: Final = Problem(
    status=422,
    title="Idempotency-Key is already used",
    detail="This key was used for a request with another content. A new request needs a new key.",
)


def problem(kind: Problem, detail: str = "") -> JsonResponse:
    """The answer that tells of it."""
    body = {**asdict(kind), "detail": detail or kind.detail}
    response = JsonResponse(body, status=kind.status, content_type="application/problem+json")
    if kind is IN_PROGRESS:
        response.headers["Retry-After"] = "1"
    return response
