"""What the admin pages of the toolkit's tables have in common: they are to look at, and stay quick over many rows."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final, TypeVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import HttpRequest

M = TypeVar("M", bound=Model)

MOST_COUNTED: Final = 10_000


class BoundedPaginator(Paginator[Any]):
    """Counts to MOST_COUNTED and shows no further: whoever looks for one among millions has its id."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or MOST_COUNTED where there are more."""
        rows: Any = self.object_list
        return int(rows[:MOST_COUNTED].count())


class ReadOnlyAdmin(admin.ModelAdmin[M]):
    """Nothing is added, changed or deleted by hand: the rows are the jobs' own."""

    paginator = BoundedPaginator
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False
