"""Reading one parameter out of a form, or refusing it as Stripe does."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .errors import invalid_request
from .form import Form


def refuse_unknown(form: Form, known: Iterable[str]) -> None:
    """Raise ApiError if *form* holds a parameter that the sandbox doesn't act on: it would be ignored in silence."""
    names = tuple(known)
    for name in form:
        if name not in names:
            raise invalid_request(
                f"Received unknown parameter: {name} (the payment sandbox knows {', '.join(names)})",
                code="parameter_unknown",
                param=name,
            )


def text(form: Form, name: str) -> str:
    """A value that must be there and not be empty."""
    value = form.get(name)
    if value is None:
        raise invalid_request(f"Missing required param: {name}.", code="parameter_missing", param=name)
    if not isinstance(value, str):
        raise invalid_request("Invalid string: an object was given.", param=name)
    if not value:
        raise invalid_request(f"You passed an empty string for '{name}'.", code="parameter_invalid_empty", param=name)
    return value


def integer(form: Form, name: str, *, default: int | None = None) -> int:
    """A whole number of 0 or more; *default* where it may be left out."""
    if name not in form and default is not None:
        return default
    value = text(form, name)
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise invalid_request(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    if value.startswith("-"):
        raise invalid_request(
            "This value must be greater than or equal to 0.", code="parameter_invalid_integer", param=name
        )
    return int(value)


def boolean(form: Form, name: str) -> bool:
    """`true` or `false`; left out means false."""
    if name not in form:
        return False
    value = text(form, name)
    if value not in ("true", "false"):
        raise invalid_request(f"Invalid boolean: {value}", param=name)
    return value == "true"


def mapping(form: Form, name: str) -> dict[str, str]:
    """An object of plain values, or a list by index; left out means empty."""
    value = form.get(name, {})
    if isinstance(value, str) or any(not isinstance(inner, str) for inner in value.values()):
        raise invalid_request(f"Invalid object: {name} takes plain values by name.", param=name)
    return {key: str(inner) for key, inner in value.items()}


def metadata(form: Form) -> dict[str, str]:
    """At most 50 values, names up to 40 and values up to 500 characters long."""
    values = mapping(form, "metadata")
    if len(values) > 50 or any(len(key) > 40 or len(value) > 500 for key, value in values.items()):
        sentence = "Metadata takes up to 50 values, with names up to 40 and values up to 500 characters long."
        raise invalid_request(sentence, param="metadata")
    return values
