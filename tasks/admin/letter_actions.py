"""The pages on which letters are redriven and discarded: each shows what would happen, and does it when told to."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from ..enqueue.outbox import publish
from ..errors import RedriveRefused
from ..execution.redrive import RATE_LEAST, redrive, redrive_all
from ..failure.discard import letters_discard
from ..failure.letter_filters import LetterFilter
from ..failure.letter_groups import Group, letter_groups
from ..failure.letter_models import DeadLetter
from .letter_edits import Shown
from .letter_filters import AgeFilter
from .read_only import has_nul

if TYPE_CHECKING:
    from .letters import DeadLetterAdmin

AT_ONCE: Final = 1_000
"""More are seen to by a job, not by the request."""
TRIED: Final = 100
"""So many are tried beforehand, to say what would be refused."""
REASONS: Final = 10
RATE: Final = 100
RATE_MAX: Final = 10_000
CAUSES: Final = 50
NOT_SEEN: Final = "Nothing was done, as the page didn't say which letters it had shown: look at them, and ask again."
PAGE_KEPT: Final = timedelta(days=1)
_BY_NAME: Final = ("name", "queue", "reason", "release", "fingerprint")
_LIST: Final = "admin:tasks_deadletter_changelist"


class LetterActions:
    """Views of the letters' admin."""

    def __init__(self, letters: DeadLetterAdmin) -> None:
        self._admin = letters

    def causes(self, request: HttpRequest) -> HttpResponse:
        """Open letters by cause, with how many, and when they came."""
        if not self._admin.has_view_permission(request):
            raise PermissionDenied
        groups = [_cause(group) for group in letter_groups(LetterFilter(), limit=CAUSES)]
        return self._page(request, "causes", "Dead letters by cause", groups=groups, most=CAUSES)

    def redrive(self, request: HttpRequest) -> HttpResponse:
        """Many at once, at a rate; a job does it where there are more than AT_ONCE."""
        if not self._admin.has_redrive_permission(request):
            raise PermissionDenied
        problem = ""
        if request.method == "POST":
            rate, shown_at = _rate(request.POST.get("rate", "")), _shown_at(request)
            if rate is not None and shown_at is not None:
                return self._redriven(request, _meant(request.GET, shown_at), rate)
            problem = NOT_SEEN
            if rate is None:
                problem = f"Say how many a second: a number from {RATE_LEAST} to {RATE_MAX}."
        which = _meant(request.GET, now := timezone.now())
        tried = redrive_all(which, by="", limit=TRIED, dry_run=True)
        return self._page(
            request,
            "redrive",
            "Redrive dead letters",
            problem=problem,
            rate=RATE,
            tried=tried,
            reasons=Counter(tried.refused.values()).most_common(REASONS),
            most_tried=TRIED,
            shown_at=now,
            **_shown(which),
        )

    def discard(self, request: HttpRequest) -> HttpResponse:
        """One or many, with the reason."""
        if not self._admin.has_discard_permission(request):
            raise PermissionDenied
        problem = ""
        if request.method == "POST":
            note, shown_at = request.POST.get("note", "").strip(), _shown_at(request)
            is_told = bool(note) and "\x00" not in note
            if is_told and shown_at is not None:
                return self._discarded(request, _open(request.GET, shown_at), note)
            problem = "Say why, without a NUL: whoever looks for the job will want to know."
            if is_told:
                problem = NOT_SEEN
        which = _open(request.GET, now := timezone.now())
        return self._page(request, "discard", "Discard dead letters", problem=problem, shown_at=now, **_shown(which))

    def redrive_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One letter, with other arguments where they are changed."""
        if not self._admin.has_redrive_permission(request):
            raise PermissionDenied
        letter = DeadLetter.objects.filter(pk=pk).first()
        if letter is None:
            raise Http404(f"there is no letter {pk}")
        shown = Shown(letter)
        text, problem = shown.text, ""
        if request.method == "POST":
            text = request.POST.get("arguments", "")
            try:
                edits = shown.edits(text)
                redrive(letter, by=request.user.get_username(), arguments=edits.given if edits else None)
            except (ValueError, RedriveRefused) as error:
                problem = getattr(error, "reason", str(error))
            else:
                self._admin.log_change(request, letter, f"Redriven{edits}")
                messages.success(request, f"The job {letter.name} is on its way again{edits}.")
                return HttpResponseRedirect(reverse("admin:tasks_deadletter_change", args=[pk]))
        else:
            try:
                redrive(letter, by="", dry_run=True)
            except RedriveRefused as refusal:
                problem = refusal.reason
        return self._page(request, "redrive_one", "Redrive a dead letter", letter=letter, text=text, problem=problem)

    def _redriven(self, request: HttpRequest, which: LetterFilter, rate: float) -> HttpResponse:
        by, count = request.user.get_username(), which.letters().count()
        if count > AT_ONCE:
            publish("tasks.redrive_letters", which=which.as_json(), by=by, rate=rate)
            self._log(request, which, f"Asked to redrive {count}, {rate:g} a second")
            messages.success(request, f"A job redrives {count} letters now, {rate:g} a second.")
        else:
            done = redrive_all(which, by=by, rate=rate)
            self._log(request, which, f"Redrove {done.count}, {rate:g} a second; {done.refusals} could not be")
            if done.count:
                messages.success(request, f"{done.count} jobs are on their way again, {rate:g} a second.")
            for task_id, reason in list(done.refused.items())[:5]:
                messages.warning(request, f"{task_id}: {reason}")
            if not done.looked_at:
                messages.warning(request, "None of them is left as the page showed them, and none was redriven.")
            if done.refusals:
                messages.error(request, f"{done.refusals} could not be redriven, and stay as they are.")
        return HttpResponseRedirect(reverse(_LIST))

    def _discarded(self, request: HttpRequest, which: LetterFilter, note: str) -> HttpResponse:
        by, count = request.user.get_username(), which.letters().count()
        if count > AT_ONCE:
            publish("tasks.discard_letters", which=which.as_json(), by=by, note=note)
            self._log(request, which, f"Asked to discard {count}: {note}")
            messages.success(request, f"A job discards {count} letters now.")
        else:
            count = letters_discard(which, by=by, note=note)
            self._log(request, which, f"Discarded {count}: {note}")
            messages.success(request, f"Discarded {count}.")
        return HttpResponseRedirect(reverse(_LIST))

    def _log(self, request: HttpRequest, which: LetterFilter, what: str) -> None:
        """One entry for what was done to many; who redrove or discarded it is with each letter."""
        asked = {name: value for name, value in which.as_json().items() if value}
        LogEntry.objects.create(
            user_id=int(request.user.pk or 0),
            content_type=ContentType.objects.get_for_model(DeadLetter),
            object_repr="many dead letters",
            action_flag=CHANGE,
            change_message=f"{what}. Of: {json.dumps(asked)[:2_000]}",
        )

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        common = {**self._admin.admin_site.each_context(request), "title": title, "opts": DeadLetter._meta}
        permissions = {
            "may_redrive": self._admin.has_redrive_permission(request),
            "may_discard": self._admin.has_discard_permission(request),
        }
        return TemplateResponse(
            request, f"admin/tasks/deadletter/{template}.html", {**common, **permissions, **context}
        )


def sparkline(arrivals: tuple[int, ...]) -> SafeString:
    """Bars, one an hour, as a picture in the page."""
    most = max(arrivals) or 1
    bars = format_html_join(
        "",
        '<rect x="{}" y="{}" width="3" height="{}"/>',
        ((4 * place, 20 - height, height) for place, many in enumerate(arrivals) if (height := -(-many * 20 // most))),
    )
    told = f"{sum(arrivals)} in the last {len(arrivals)} hours, at most {max(arrivals)} in one"
    return format_html(
        '<svg class="sparkline" width="{}" height="20" role="img" aria-label="{}"><title>{}</title>{}</svg>',
        4 * len(arrivals), told, told, bars,
    )  # fmt: skip


def _cause(group: Group) -> dict[str, Any]:
    """One line of the page of causes."""
    return {
        "fingerprint": group.fingerprint,
        "count": group.count,
        "latest": group.latest,
        "bars": sparkline(group.arrivals),
        "first_seen_at": group.first_seen_at,
        "last_seen_at": group.last_seen_at,
        "first": timesince(group.first_seen_at, depth=1),
        "last": timesince(group.last_seen_at, depth=1),
    }


def _meant(query: QueryDict, now: datetime) -> LetterFilter:
    """The letters that a page's address named at *now*: what died later was seen by nobody. Raises Http404."""
    if has_nul(query):
        raise Http404("no letter has a NUL in what names it")
    try:
        ids = tuple(int(pk) for pk in query.get("ids", "").split(",") if pk)
    except ValueError:
        raise Http404("ids are numbers") from None
    named: dict[str, Any] = {name: query[name] for name in _BY_NAME if query.get(name)}
    if not (ids or named or query.get("all")):
        raise Http404("say which letters")
    found = LetterFilter(ids=ids, search=query.get("q", ""), seen_before=now, **named)
    age = query.get("age", "")
    if age in AgeFilter.SPANS:
        found = replace(found, seen_since=now - AgeFilter.SPANS[age])
    elif age == "older":
        found = replace(found, seen_before=now - AgeFilter.SPANS["week"])
    state = query.get("state", "")
    return replace(found, state="" if ids or state == "any" else state or found.state)


def _open(query: QueryDict, now: datetime) -> LetterFilter:
    return replace(_meant(query, now), state=DeadLetter.State.OPEN.value)


def _shown_at(request: HttpRequest) -> datetime | None:
    """When the page was made that is sent back; None when it doesn't say, or nobody remembers what was on it."""
    now = timezone.now()
    try:
        moment = datetime.fromisoformat(request.POST.get("seen_before", ""))
    except ValueError:
        return None
    return min(moment, now) if moment.tzinfo and moment > now - PAGE_KEPT else None


def _shown(which: LetterFilter) -> dict[str, Any]:
    letters = which.letters()
    asked = {name: value for name, value in which.as_json().items() if value and name not in ("ids", "seen_before")}
    return {"count": letters.count(), "first": letters.order_by("-last_seen_at")[:10], "asked": asked}


def _rate(text: str) -> float | None:
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if RATE_LEAST <= rate <= RATE_MAX else None
