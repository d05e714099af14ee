"""Letters by their cause: how many of each, since when, and how their number grew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Max, Min
from django.utils import timezone

from ..enqueue import rows
from .letter_filters import LetterFilter
from .letter_models import DeadLetter

BUCKETS: Final = 24
SPAN: Final = timedelta(hours=24)
_BARS: Final = "▁▂▃▄▅▆▇█"

_ARRIVALS: Final = """
    SELECT fingerprint, floor(extract(epoch FROM last_seen_at - %(start)s) / %(step)s)::int, count(*)
    FROM tasks_deadletter WHERE fingerprint = ANY(%(fingerprints)s) AND last_seen_at >= %(start)s GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Letters of one fingerprint. latest: one of them. arrivals: deaths in each hour of the last day, the oldest first.

    A letter that died more than once is counted in the hour of its last death.
    """

    fingerprint: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    latest: DeadLetter
    arrivals: tuple[int, ...]

    @property
    def sparkline(self) -> str:
        """The arrivals as text."""
        most = max(self.arrivals) or 1
        return "".join(" " if not many else _BARS[(many * (len(_BARS) - 1)) // most] for many in self.arrivals)

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "fingerprint": self.fingerprint,
            "count": self.count,
            "task": self.latest.name,
            "reason": self.latest.reason,
            "error_type": self.latest.error_type,
            "error_message": self.latest.error_message,
            "culprit": self.latest.culprit,
            "first_seen_at": self.first_seen_at.isoformat(),
            "last_seen_at": self.last_seen_at.isoformat(),
            "arrivals_by_hour": list(self.arrivals),
        }


def letter_groups(which: LetterFilter, *, limit: int = 50) -> list[Group]:
    """The *limit* largest groups of the letters that *which* names, the largest first."""
    counted = list(
        which.letters()
        .order_by()
        .values("fingerprint")
        .annotate(count=Count("pk"), first=Min("first_seen_at"), last=Max("last_seen_at"), latest=Max("pk"))
        .order_by("-count", "fingerprint")[:limit]
    )
    latest = DeadLetter.objects.using(rows.alias()).in_bulk([found["latest"] for found in counted])
    arrivals = _arrivals([found["fingerprint"] for found in counted])
    return [
        Group(
            fingerprint=found["fingerprint"],
            count=found["count"],
            first_seen_at=found["first"],
            last_seen_at=found["last"],
            latest=latest[found["latest"]],
            arrivals=arrivals[found["fingerprint"]],
        )
        for found in counted
        if found["latest"] in latest
    ]


def letter_counts(which: LetterFilter) -> dict[str, int]:
    """How many letters that *which* names, but for their state, there are in each."""
    counted = replace(which, state="").letters().order_by().values_list("state").annotate(Count("pk"))
    return {state.value: dict(counted).get(state.value, 0) for state in DeadLetter.State}


def _arrivals(fingerprints: Iterable[str]) -> dict[str, tuple[int, ...]]:
    wanted = list(fingerprints)
    counts = {fingerprint: [0] * BUCKETS for fingerprint in wanted}
    step = SPAN / BUCKETS
    given = {"fingerprints": wanted, "start": timezone.now() - SPAN, "step": step.total_seconds()}
    with rows.cursor() as cursor:
        cursor.execute(_ARRIVALS, given)
        for fingerprint, bucket, count in cursor.fetchall():
            counts[fingerprint][min(max(bucket, 0), BUCKETS - 1)] += count
    return {fingerprint: tuple(found) for fingerprint, found in counts.items()}
