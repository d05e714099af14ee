"""The value of an `Idempotency-Key` header, and how it is described to clients."""

from __future__ import annotations

import re
from typing import Any, Final

from .http_problems import CONFLICT, IN_PROGRESS, MALFORMED, MISSING, Problem

KEY_MAX: Final = 100

# RFC 8941, 3.3.3: printable ASCII between quotes, in which a backslash stands before a quote or a backslash.
_STRING: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
# The same characters without quotes, but for those that would make them a list, parameters, or hard to see.
_BARE: Final = re.compile(r"[!#-+\--:<-\[\]-~]+")


class MalformedKey(ValueError):
    """A header's value is no key."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return (
            f"The key must be a string of 1 to {KEY_MAX} characters in double quotes, as "
            f'"8e03978e-40d5-43e8-bc93-6894a57f9324"; this is {self.value[:KEY_MAX]!r}.'
        )


def key_read(value: str) -> str:
    """The key that a header's *value* stands for. Raises MalformedKey."""
    value = value.strip(" ")
    if found := _STRING.fullmatch(value):
        key = re.sub(r'\\(["\\])', r"\1", found[1])
    elif _BARE.fullmatch(value):
        key = value
    else:
        raise MalformedKey(value)
    if not 0 < len(key) <= KEY_MAX:
        raise MalformedKey(value)
    return key


def _described(*problems: Problem) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    }
    return {
        "description": " / ".join(each.title for each in problems),
        "content": {"application/problem+json": {"schema": schema}},
    }


# To be given to an operation of django-ninja as `openapi_extra`, or merged into it.
IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "parameters": [
        {
            "in": "header",
            "name": "Idempotency-Key",
            "required": True,
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": 2 * KEY_MAX + 2,
                "pattern": rf'^("([ !#-\[\]-~]|\\["\\]){{1,{KEY_MAX}}}"|[!#-+\--:<-\[\]-~]{{1,{KEY_MAX}}})$',
            },
            "example": '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
            "description": (
                "Names the request, so that it can be sent again safely: the same key with the same content is "
                "answered as the first time, and nothing is done twice. A string of RFC 8941 (its quotes may be left "
                "out), new for each request that means something new. Remembered for a day."
            ),
        }
    ],
    "responses": {
        400: _described(MISSING, MALFORMED),
        409: _described(IN_PROGRESS),
        422: _described(CONFLICT),
    },
}
