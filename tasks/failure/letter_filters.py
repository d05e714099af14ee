"""Which letters are meant: one way to say it, for the command line, the admin, and the job that redrives many."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

from django.db.models import QuerySet

from ..enqueue import rows
from .letter_models import DeadLetter

OPEN: Final = DeadLetter.State.OPEN.value


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Letters for which all of this is so; what is empty asks for nothing.

    ids: of letters. state: "" is any. search: a task id, a root's id, or an idempotency key, whole.
    seen_before, seen_since: bounds on the last death, aware.
    """

    ids: tuple[int, ...] = ()
    state: str = OPEN
    name: str = ""
    queue: str = ""
    reason: str = ""
    release: str = ""
    fingerprint: str = ""
    error_type: str = ""
    batch_id: str = ""
    search: str = ""
    seen_before: datetime | None = None
    seen_since: datetime | None = None

    def letters(self) -> QuerySet[DeadLetter]:
        """Those letters, in no order."""
        found = DeadLetter.objects.using(rows.alias())
        for name in _EQUAL:
            if value := getattr(self, name):
                found = found.filter(**{name: value})
        if self.ids:
            found = found.filter(pk__in=self.ids)
        if self.seen_before:
            found = found.filter(last_seen_at__lt=self.seen_before)
        if self.seen_since:
            found = found.filter(last_seen_at__gte=self.seen_since)
        return searched(found, self.search) if self.search else found

    def until(self, moment: datetime) -> LetterFilter:
        """Those of them that died last before *moment*."""
        return replace(self, seen_before=min(self.seen_before, moment) if self.seen_before else moment)

    def as_json(self) -> dict[str, Any]:
        """What `of_json` reads."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else list(value) if name == "ids" else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def of_json(cls, given: dict[str, Any]) -> LetterFilter:
        """What `as_json` wrote. Raises ValueError for what it doesn't know."""
        known = [field.name for field in fields(cls)]
        if unknown := given.keys() - set(known):
            name = min(unknown)
            close = get_close_matches(name, known, n=1)
            raise ValueError(f"letters have no {name!r}{f', did you mean {close[0]!r}?' if close else ''}")
        read = dict(given)
        for name in ("seen_before", "seen_since"):
            if read.get(name):
                read[name] = datetime.fromisoformat(read[name])
        read["ids"] = tuple(read.get("ids") or ())
        return cls(**read)


_EQUAL: Final = ("state", "name", "queue", "reason", "release", "fingerprint", "error_type", "batch_id")
# Each has an index; a search over anything else would read the whole table.
_SEARCHED: Final = ("task_id", "root_id", "idempotency_key")


def searched(letters: QuerySet[DeadLetter], words: str) -> QuerySet[DeadLetter]:
    """Those of *letters* whose task id, root id or idempotency key is *words*: by three indexes, not by one OR."""
    whole = words.strip()
    everywhere = DeadLetter.objects.using(letters.db)
    ids = [everywhere.filter(**{name: whole}).values("pk").order_by() for name in _SEARCHED]
    return letters.filter(pk__in=ids[0].union(*ids[1:], all=True))
