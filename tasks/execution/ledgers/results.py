"""Results as text: JSON as messages carry it, so what may be an argument comes back from the ledger the same.

Kept as text, not as the database's JSON: that would turn 1e16 into an integer, and refuse a NUL.
"""

from __future__ import annotations

from typing import Any

from kombu.utils import json

from ...errors import ResultRefused


def result_text(key: str, result: Any) -> str:
    """The text to store under *key*. Raises ResultRefused."""
    try:
        return str(json.dumps(result))
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultRefused(key, str(error)) from error


def result_read(text: str) -> Any:
    """The result that *text* stands for. Tuples have become lists."""
    return json.loads(text)
