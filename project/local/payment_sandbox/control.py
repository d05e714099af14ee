"""What a test or a person tells and asks the sandbox itself, under /sandbox; no API key is needed."""

from __future__ import annotations

import json
from typing import Any

from .books import Books
from .errors import invalid_request, unrecognized
from .faults import Fault, Faults


def control(books: Books, faults: Faults, method: str, path: str, body: bytes) -> dict[str, Any]:
    """Answer GET /sandbox/health, GET /sandbox/books, and GET, POST and DELETE /sandbox/faults.

    Raises ApiError for anything else, and for a fault that means nothing.
    """
    match method, path:
        case "GET", "/sandbox/health":
            return {"status": "ok"}
        case "GET", "/sandbox/books":
            return books.overview()
        case "GET", "/sandbox/faults":
            return {"faults": faults.armed()}
        case "POST", "/sandbox/faults":
            faults.arm(Fault.read(_json(body)))
            return {"faults": faults.armed()}
        case "DELETE", "/sandbox/faults":
            faults.clear()
            return {"faults": []}
    raise unrecognized(method, path)


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        raise invalid_request("The body is not JSON.") from None
