"""Dead letters in the admin: what died and why, by cause or one by one, and what is to become of it.

Looking, redriving and discarding are three permissions; as Django's own actions, which stand on a list, the latter two
are nothing without the first: each is confirmed on a page that says what would happen, and so shows letters, their
errors and arguments. It leaves an entry in the admin's log.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from ..failure.letter_filters import searched
from ..failure.letter_models import DeadLetter, JobAttempt
from ..failure.originals import parts_shown
from .letter_actions import LetterActions
from .letter_filters import AgeFilter, CauseFilter, QueueFilter, ReasonFilter, ReleaseFilter, StateFilter, TaskFilter
from .read_only import ReadOnlyAdmin

ATTEMPTS_SHOWN = 100


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """The latest first. Searched by task id, root id or idempotency key, whole: each has an index."""

    list_display = ["task", "why", "last_died", "deaths", "queue", "release", "state"]
    list_display_links = ["task"]
    list_filter = [StateFilter, ReasonFilter, TaskFilter, QueueFilter, ReleaseFilter, AgeFilter, CauseFilter]
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER  # each would count the whole table
    search_fields = ["=task_id"]
    search_help_text = "A task id, a root task's id, or an idempotency key, whole"
    ordering = ["-last_seen_at"]
    actions = ["redrive_selected", "discard_selected"]
    change_form_template = "admin/tasks/deadletter/letter.html"
    change_list_template = "admin/tasks/deadletter/letters.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DeadLetter], search_term: str
    ) -> tuple[QuerySet[DeadLetter], bool]:
        """By index, whatever the filters say."""
        return (searched(queryset, search_term) if search_term.strip() else queryset), False

    @admin.display(description="task")
    def task(self, letter: DeadLetter) -> SafeString:
        """Its name, and its id below."""
        name = letter.name or "unreadable"
        return format_html('<b>{}</b><br><small class="id">{}</small>', name, letter.task_id[:36])

    @admin.display(description="why")
    def why(self, letter: DeadLetter) -> SafeString:
        """The reason, and the error below."""
        said = f"{letter.error_type}: {letter.error_message}" if letter.error_type else ""
        return format_html("{}<br><small>{}</small>", letter.get_reason_display(), said[:140])

    @admin.display(description="last died", ordering="last_seen_at")
    def last_died(self, letter: DeadLetter) -> SafeString:
        """How long ago, and when on hovering."""
        at = letter.last_seen_at
        return format_html('<span title="{}">{} ago</span>', at, timesince(at, depth=1))

    def has_redrive_permission(self, request: HttpRequest) -> bool:
        """Asked by the admin for the action's sake."""
        return self.has_view_permission(request) and request.user.has_perm("tasks.redrive_deadletter")

    def has_discard_permission(self, request: HttpRequest) -> bool:
        """Asked by the admin for the action's sake."""
        return self.has_view_permission(request) and request.user.has_perm("tasks.discard_deadletter")

    @admin.action(description="Redrive…", permissions=["redrive"])
    def redrive_selected(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> HttpResponse:
        """To the page that confirms it."""
        return self._confirm(request, letters, "redrive")

    @admin.action(description="Discard…", permissions=["discard"])
    def discard_selected(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> HttpResponse:
        """To the page that confirms it."""
        return self._confirm(request, letters, "discard")

    def get_urls(self) -> list[URLPattern]:
        """The pages beside Django's own."""
        actions, wrap = LetterActions(self), self.admin_site.admin_view
        return [
            path("causes/", wrap(actions.causes), name="tasks_deadletter_causes"),
            path("redrive/", wrap(actions.redrive), name="tasks_deadletter_redrive"),
            path("discard/", wrap(actions.discard), name="tasks_deadletter_discard"),
            path("<int:pk>/redrive/", wrap(actions.redrive_one), name="tasks_deadletter_redrive_one"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One letter, with all that is known of it."""
        letter = self.get_object(request, object_id)
        context = {
            **(extra_context or {}),
            "may_redrive": self.has_redrive_permission(request),
            "may_discard": self.has_discard_permission(request),
            **(_told(letter) if letter is not None and self.has_view_permission(request, letter) else {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def _confirm(self, request: HttpRequest, letters: QuerySet[DeadLetter], action: str) -> HttpResponse:
        if request.POST.get("select_across") == "1":
            query = {**{name: value for name, value in request.GET.items() if value}, "all": "1"}
        else:
            query = {"ids": ",".join(str(pk) for pk in letters.values_list("pk", flat=True))}
        return HttpResponseRedirect(f"{reverse(f'admin:tasks_deadletter_{action}')}?{urlencode(query)}")


def _told(letter: DeadLetter) -> dict[str, Any]:
    """What the page of one letter shows beside its fields."""
    parts = parts_shown(letter)
    follows = parts[2] if parts else {}
    chain = [dict(link) for link in reversed(follows.get("chain") or [])]
    errbacks = [found.get("task", "?") for found in follows.get("errbacks") or []]
    return {
        "letter": letter,
        "arguments": _pretty({"args": parts[0], "kwargs": parts[1]}) if parts else "",
        "headers": _pretty(letter.headers),
        "chain": [(link.get("task", "?"), (link.get("options") or {}).get("task_id", "")) for link in chain],
        "errbacks": errbacks,
        "raw": bytes(letter.raw[:2_000]).decode(errors="backslashreplace") if letter.raw else "",
        "attempts": JobAttempt.objects.filter(task_id=letter.task_id).order_by("-pk")[:ATTEMPTS_SHOWN],
        "redrives": letter.redrives.order_by("-generation"),
        "is_redrivable": letter.state in (DeadLetter.State.OPEN, DeadLetter.State.DISCARDED),
        "is_open": letter.state == DeadLetter.State.OPEN,
    }


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
