"""The books about runs: who may begin, what each page brought, how it ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from config.limits import SYNC_RESUME_WITHIN, SYNC_RUN_KEPT_FOR, SYNC_RUN_LEASE

from ..errors import RunReplaced
from ..models import NOTE_MAX_LENGTH, SyncRun
from ..selectors import run_before
from .offers import offers_withdraw, offers_write

if TYPE_CHECKING:
    from ..feed import Page

State = SyncRun.State


def run_begin() -> SyncRun:
    """A new run: running, or skipped with a note why. One that follows a failed one soon carries it on."""
    if not settings.SUPPLIER_API_URL:
        return _skipped("SUPPLIER_API_URL is not set: there is no supplier to ask")
    try:
        with transaction.atomic():
            return _begin()
    except IntegrityError:  # one_run_at_a_time: another began between our look and our insert
        return _skipped("another run began at the same moment")


def _begin() -> SyncRun:
    now = timezone.now()
    running = SyncRun.objects.select_for_update().filter(state=State.RUNNING).first()
    if running and running.changed_at > now - SYNC_RUN_LEASE:
        return _skipped(f"run {running.pk} is still at it")
    if running:
        _end(running, State.FAILED, "the worker that ran it went away")
    before = run_before()
    if before and before.not_before_at and before.not_before_at > now:
        return _skipped(f"the supplier asks to be left alone until {before.not_before_at:%Y-%m-%d %H:%M:%S %Z}")
    run = SyncRun(state=State.RUNNING, started_at=now, pass_began_at=now)
    if before and _can_be_carried_on(before):
        run.etag, run.cursor, run.pass_began_at = before.etag, before.cursor, before.pass_began_at
        run.note = f"carries on run {before.pk}"
    run.save(force_insert=True)
    return run


def _can_be_carried_on(run: SyncRun) -> bool:
    """A pass that keeps failing at the same cursor is begun anew in the end."""
    young = run.pass_began_at > timezone.now() - SYNC_RESUME_WITHIN
    return run.state == State.FAILED and bool(run.cursor) and young


@transaction.atomic
def run_page_note(*, run: SyncRun, page: Page, etag: str) -> SyncRun:
    """Write a page's offers and where the next one begins; after the last one the run has succeeded.

    Returns the run as it is now. Raises RunReplaced.
    """
    run = _lock(run)
    now = timezone.now()
    run.pages += 1
    run.offers_seen += len(page.offers)
    run.offers_changed += offers_write(offers=page.offers, seen_at=now)
    run.etag = etag if run.pages == 1 and not run.cursor else run.etag
    run.cursor = page.next_cursor or ""
    if page.next_cursor is None:
        run.offers_withdrawn = offers_withdraw(unseen_since=run.pass_began_at)
        run.state, run.ended_at = State.SUCCEEDED, now
    run.save()
    return run


@transaction.atomic
def run_unchanged_note(*, run: SyncRun, etag: str) -> None:
    """The feed is the one that was read last: the run has succeeded. Raises RunReplaced."""
    run = _lock(run)
    run.etag = etag
    _end(run, State.SUCCEEDED, "nothing has changed")


@transaction.atomic
def run_fail(*, run: SyncRun, error: Exception, wait: timedelta | None) -> None:
    """Note the error, and how long the supplier wants to be left alone. One that was replaced is left as it is."""
    try:
        run = _lock(run)
    except RunReplaced:
        return
    run.not_before_at = timezone.now() + wait if wait else None
    _end(run, State.FAILED, str(error) or type(error).__name__)


def runs_delete_old() -> int:
    """Delete the runs that began more than SYNC_RUN_KEPT_FOR ago, but the last that succeeded; return how many."""
    old = SyncRun.objects.filter(started_at__lt=timezone.now() - SYNC_RUN_KEPT_FOR).exclude(state=State.RUNNING)
    newest = SyncRun.objects.filter(state=State.SUCCEEDED).first()  # its ETag is what the next run asks with
    if newest:
        old = old.exclude(pk=newest.pk)
    return old.delete()[0]


def _lock(run: SyncRun) -> SyncRun:
    locked = SyncRun.objects.select_for_update().get(pk=run.pk)
    if locked.state != State.RUNNING:
        raise RunReplaced(run.pk)
    return locked


def _end(run: SyncRun, state: SyncRun.State, note: str) -> None:
    run.state, run.ended_at, run.note = state, timezone.now(), note[:NOTE_MAX_LENGTH]
    run.save()


def _skipped(note: str) -> SyncRun:
    now = timezone.now()
    return SyncRun.objects.create(state=State.SKIPPED, note=note, started_at=now, pass_began_at=now, ended_at=now)
