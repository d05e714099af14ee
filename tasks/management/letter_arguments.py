"""How the command line names letters: by id or task id, or by what they have in common."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from ..failure.letter_filters import LetterFilter
from ..failure.letter_models import DeadLetter
from ..failure.transfer import EARLIEST, LATEST

STATES: Final = (*(state.value for state in DeadLetter.State), "any")
REASONS: Final = tuple(reason.value for reason in DeadLetter.Reason)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_BY_FIELD: Final = {
    "task": "name",
    "queue": "queue",
    "reason": "reason",
    "release": "release",
    "fingerprint": "fingerprint",
    "error": "error_type",
    "batch": "batch_id",
    "search": "search",
    "before": "seen_before",
    "since": "seen_since",
}


def add_filters(parser: CommandParser, *, state: str | None = "open") -> None:
    """Add what names letters. state: of which they are unless said otherwise; None: the command decides."""
    parser.add_argument("letters", nargs="*", metavar="LETTER", help="its number, or the task id, and nothing else")
    if state is not None:
        parser.add_argument("--state", choices=STATES, help=f"({state})")
        parser.set_defaults(usual_state=state)
    parser.add_argument("--task", help="wire name")
    parser.add_argument("--queue", help="queue")
    parser.add_argument("--reason", choices=REASONS, metavar="REASON", help=", ".join(REASONS))
    parser.add_argument("--release", help="the release that it died under last")
    parser.add_argument("--fingerprint", help="all of one cause, as `stats` shows it")
    parser.add_argument("--error", help="exception type")
    parser.add_argument("--batch", help="id of a batch or chord")
    parser.add_argument("--search", help="a task id, a root id or an idempotency key, whole")
    parser.add_argument(
        "--before", type=moment, help="died last before: an age as in 2h or 3d, or an ISO date and time"
    )
    parser.add_argument("--since", type=moment, help="died last since: likewise")


def is_narrowed(options: dict[str, Any]) -> bool:
    """Whether any of them was given."""
    return bool(options["letters"]) or any(options.get(name) for name in _BY_FIELD)


def filter_of(options: dict[str, Any], *, state: str | None = None) -> LetterFilter:
    """The letters that are meant. Raises CommandError for one that isn't there, or is named and narrowed down, too."""
    asked = state or options.get("state") or options["usual_state"]
    given = {field: options[name] for name, field in _BY_FIELD.items() if options.get(name)}
    if options["letters"] and (others := [name for name in (*_BY_FIELD, "state", "all") if options.get(name)]):
        # One that doesn't fit would be left out without a word, or the filter would be.
        also = ", ".join(f"--{name}" for name in others)
        raise CommandError(
            f"{options['letters'][0]} names a letter, and {also} letters by what they are: give one of both"
        )
    ids = tuple(letter_of(word).pk for word in options["letters"])
    return LetterFilter(ids=ids, state="" if asked == "any" or ids else asked, **given)


def letter_of(word: str) -> DeadLetter:
    """The letter of that number or task id. Raises CommandError."""
    found = DeadLetter.objects.filter(task_id=word).first()
    if found is None and word.isdecimal() and len(word) < 19:
        found = DeadLetter.objects.filter(pk=int(word)).first()
    if found is None:
        raise CommandError(
            f"there is no letter {word!r}: give its number as `dead_letters list` shows it, or a task id"
        )
    return found


def moment(text: str) -> datetime:
    """A point in time: so long ago (30s, 15m, 2h, 3d), or an ISO date and time."""
    try:
        if found := re.fullmatch(r"(\d{1,6})([smhd])", text):
            return _within(text, timezone.now() - timedelta(**{_UNITS[found[2]]: int(found[1])}))
        read = datetime.fromisoformat(text)
        return _within(text, read if read.tzinfo else timezone.make_aware(read))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is neither an age, as in 2h or 3d, nor an ISO date and time") from None
    except OverflowError:
        raise ArgumentTypeError(f"{text!r} lies before {EARLIEST}") from None


def _within(text: str, read: datetime) -> datetime:
    if read.year < EARLIEST:
        raise ArgumentTypeError(f"{text!r} lies before {EARLIEST}: give a later date")
    if read.year > LATEST:
        raise ArgumentTypeError(f"{text!r} lies after {LATEST}: give an earlier date")
    return read
