"""Form-encoded parameters with names in brackets: `metadata[order_id]=7` is {"metadata": {"order_id": "7"}}."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from .errors import invalid_request

NAME: Final = re.compile(r"(?P<name>[^\[\]]+)(?P<inner>(?:\[[^\[\]]*\])*)")
MAX_FIELDS: Final = 200
MAX_DEPTH: Final = 5

Form = dict[str, "str | Form"]


def form_decode(encoded: str) -> Form:
    """Read a query string or a form body.

    A list is a dict from index to value, whether it came as `a[0]=x` or `a[]=x`. Of a name given twice the last counts.
    Raises ApiError for names that are malformed or contradict each other.
    """
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise invalid_request(f"The form is not UTF-8, or has more than {MAX_FIELDS} fields.") from None
    form: Form = {}
    for name, value in pairs:
        _put(form, name, value)
    return form


def _put(form: Form, name: str, value: str) -> None:
    match = NAME.fullmatch(name)
    if match is None:
        raise invalid_request(f"Invalid parameter name: {name}")
    *way, last = [match["name"], *re.findall(r"\[([^\[\]]*)\]", match["inner"])]
    if len(way) >= MAX_DEPTH:
        raise invalid_request(f"Invalid parameter name: {name}", param=match["name"])
    place = form
    for part in way:
        inner = place.setdefault(part or str(len(place)), {})
        if isinstance(inner, str):
            raise _contradiction(match["name"])
        place = inner
    last = last or str(len(place))
    if isinstance(place.get(last), dict):
        raise _contradiction(match["name"])
    place[last] = value


def _contradiction(name: str) -> Exception:
    return invalid_request(f"The parameter {name} is given as a value and as an object.", param=name)
