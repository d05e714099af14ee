"""The answers that say no, in Stripe's words and shape."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A request is refused or fails: an HTTP status and Stripe's error object."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(status, error)
        self.status, self.error = status, error

    def __str__(self) -> str:
        return f"{self.status} {self.error['type']}: {self.error['message']}"

    @property
    def body(self) -> dict[str, Any]:
        """What is sent as JSON."""
        return {"error": self.error}


def error_object(kind: str, message: str, *, code: str | None = None, **facts: Any) -> dict[str, Any]:
    """Stripe's error object: its type, its sentence and, where there is a code, where that is explained."""
    explained = {"code": code, "doc_url": f"https://docs.stripe.com/error-codes#{code}"} if code else {}
    return {"type": kind, "message": message, **explained, **facts}


def invalid_request(message: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> ApiError:
    """The request itself is wrong, in *param* where that can be said."""
    facts = {"param": param} if param else {}
    return ApiError(status, error_object("invalid_request_error", message, code=code, **facts))


def failure(status: int) -> ApiError:
    """What a provider in trouble answers: 429 when asked too often, else an error of its own."""
    if status == 429:
        return invalid_request("Request rate limit exceeded.", status=429, code="rate_limit")
    return ApiError(status, error_object("api_error", "An error occurred in the payment sandbox, as it was told to."))


def unrecognized(method: str, path: str) -> ApiError:
    """Nothing answers that method at that path."""
    return invalid_request(f"Unrecognized request URL ({method}: {path}).", status=404)


def no_such(kind: str, value: str, *, param: str, status: int = 400) -> ApiError:
    """A parameter names something that isn't in the books."""
    return invalid_request(f"No such {kind}: '{value}'", status=status, code="resource_missing", param=param)


def unauthorized(*, key_given: bool) -> ApiError:
    """The API key is missing or isn't one for tests. The key itself is never repeated."""
    if key_given:
        return invalid_request("Invalid API Key provided: the sandbox takes keys that begin with sk_test_.", status=401)
    return invalid_request(
        "You did not provide an API key. You need to provide your API key in the Authorization header, "
        "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        status=401,
    )


def key_in_use(key: str) -> ApiError:
    """Another request with the same idempotency key is still running."""
    return invalid_request(
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
        f"twice, and the other request is still going through): {key}. Please try again later.",
        status=409,
        code="idempotency_key_in_use",
    )


def key_reused(key: str, difference: str) -> ApiError:
    """An idempotency key comes again with another request than its first."""
    sentence = (
        f"Keys for idempotent requests can only be used {difference}. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return ApiError(400, error_object("idempotency_error", sentence))
