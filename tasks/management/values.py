"""What words on the command line are read as: numbers within bounds, and JSON. What is none is told in a line."""

from __future__ import annotations

import json
import math
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any, Final

from django.core.management.base import CommandError

MOST: Final = 2**31 - 1
SHOWN: Final = 40


def whole(least: int, most: int = MOST) -> Callable[[str], int]:
    """Reads whole numbers from *least* to *most*."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise ArgumentTypeError(f"{text[:SHOWN]!r} is no whole number from {least} to {most}")
        return number

    return read


def decimal(least: float, most: float, what: str) -> Callable[[str], float]:
    """Reads numbers from *least* to *most*; *what*: the word for one, and its unit."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ArgumentTypeError(f"{text[:SHOWN]!r} is no {what}, from {least:g} to {most:g}")
        return number

    return read


def json_of(option: str, text: str) -> Any:
    """The value that *text* stands for, which was given as *option*. Raises CommandError."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise CommandError(f"{option} is no JSON that can be kept: it is nested too deeply") from None
    except ValueError as error:
        raise CommandError(f"{option} is no JSON: {error}") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON: give null, or a number")
