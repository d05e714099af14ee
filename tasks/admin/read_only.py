"""What the admin pages of the toolkit's tables have in common: they are to look at, and stay quick over many rows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Paginator
from django.http import HttpRequest, QueryDict

MOST_COUNTED: Final = 10_000

# To Django itself these are no generics; a project may do without what patches them.
if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyPaginator, AnyModelAdmin = Paginator, admin.ModelAdmin


def has_nul(query: QueryDict) -> bool:
    """Whether an address says something that PostgreSQL, asked for it, only answers with an error."""
    return any("\x00" in value for _, values in query.lists() for value in values)


class BoundedPaginator(AnyPaginator):
    """Counts to MOST_COUNTED and shows no further: whoever looks for one among millions has its id."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or MOST_COUNTED where there are more."""
        rows: Any = self.object_list
        return int(rows[:MOST_COUNTED].count())


class ReadOnlyAdmin(AnyModelAdmin):
    """Nothing is added, changed or deleted by hand: the rows are the jobs' own."""

    paginator = BoundedPaginator
    show_full_result_count = False

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Django's. Raises IncorrectLookupParameters, on which Django shows all, for what no text in a database has."""
        if has_nul(request.GET):
            raise IncorrectLookupParameters("a NUL")
        return super().get_changelist_instance(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
