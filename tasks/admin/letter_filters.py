"""The filters beside the list of letters. Their names are those of `LetterFilter`, so that a page's address says all.

What there is to choose from is found by hopping from one value to the next in an index (`_distinct`), not by reading
a million rows.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ..enqueue import rows
from ..failure.letter_models import DeadLetter

MOST_CHOICES: Final = 100

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

_HOP: Final = """
    WITH RECURSIVE hop AS (
        (SELECT min({column}) AS value FROM tasks_deadletter)
        UNION ALL
        SELECT (SELECT min(l.{column}) FROM tasks_deadletter l WHERE l.{column} > hop.value) FROM hop
        WHERE hop.value IS NOT NULL
    )
    SELECT value FROM hop WHERE value <> '' LIMIT %s
"""


class StateFilter(admin.SimpleListFilter):
    """Open ones unless asked otherwise."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [*((state.value, state.label) for state in DeadLetter.State), ("any", "Any")]

    def choices(self, changelist: Any) -> Any:
        chosen = self.value() or DeadLetter.State.OPEN.value
        for value, label in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": chosen == value, "query_string": query, "display": label}

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        chosen = self.value() or DeadLetter.State.OPEN.value
        return queryset if chosen == "any" else queryset.filter(state=chosen)


class ReasonFilter(admin.SimpleListFilter):
    """How it died."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        labels = dict(DeadLetter.Reason.choices)
        return [(value, str(labels.get(value, value))) for value in _distinct("reason")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        return queryset.filter(reason=self.value()) if self.value() else queryset


class ColumnFilter(admin.SimpleListFilter):
    """One of the values that a column has."""

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(value, value) for value in _distinct(self.parameter_name or "")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class TaskFilter(ColumnFilter):
    """By wire name."""

    title, parameter_name = "task", "name"


class QueueFilter(ColumnFilter):
    """By queue."""

    title, parameter_name = "queue", "queue"


class ReleaseFilter(ColumnFilter):
    """By the release that it died under."""

    title, parameter_name = "release", "release"


class CauseFilter(ColumnFilter):
    """By fingerprint; there are too many to be listed, so only the one that is chosen is shown."""

    title, parameter_name = "cause", "fingerprint"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        chosen = request.GET.get("fingerprint")
        return [(chosen, chosen[:12])] if chosen else []


class AgeFilter(admin.SimpleListFilter):
    """By the time since its last death."""

    title = "last died"
    parameter_name = "age"
    SPANS: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(name, f"In the last {name}") for name in self.SPANS] + [("older", "Before that")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        chosen = self.value()
        if chosen in self.SPANS:
            return queryset.filter(last_seen_at__gte=timezone.now() - self.SPANS[chosen])
        if chosen == "older":
            return queryset.filter(last_seen_at__lt=timezone.now() - self.SPANS["week"])
        return queryset


def _distinct(column: str) -> list[str]:
    with rows.cursor() as cursor:
        cursor.execute(_HOP.format(column=column), [MOST_CHOICES])
        return [row[0] for row in cursor.fetchall()]
