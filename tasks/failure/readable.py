"""Makes of whatever a message says what PostgreSQL can hold, and a person can read. Pure."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

CUT: Final = " […] "
DEPTH_MAX: Final = 64

# What a terminal obeys, or what turns the direction of reading: nothing of it is to be seen.
_OBEYED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def readable(text: str) -> str:
    """*text* with what no PostgreSQL text holds (NUL, halves of characters) spelt out."""
    if "\x00" in text:
        text = text.replace("\x00", "\\x00")
    return text.encode("utf-8", "backslashreplace").decode()


def printable(text: str, *, lines: bool = True) -> str:
    """*text* with what a terminal would obey spelt out; lines: line breaks and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(
        char if char in kept or unicodedata.category(char) not in _OBEYED else ascii(char)[1:-1] for char in text
    )


def bounded(text: str, most: int, *, keep_end: bool = False) -> str:
    """*text*, readable, of at most *most* characters. keep_end: what is cut out is the middle."""
    text = readable(text[: most * 4] if not keep_end else text)
    if len(text) <= most:
        return text
    if not keep_end:
        return text[: most - len(CUT)] + CUT
    head = (most - len(CUT)) // 4
    return text[:head] + CUT + text[-(most - len(CUT) - head) :]


def storable(value: Any, depth: int = 0) -> Any:
    """*value*, of JSON's kinds, as jsonb can hold it. What is of no kind of JSON's becomes its text."""
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if depth > DEPTH_MAX:
        return CUT.strip()
    if isinstance(value, Mapping):
        return {readable(str(key)): storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item, depth + 1) for item in value]
    return readable(str(value))
