"""One run: ask for page after page and write each down."""

from __future__ import annotations

from django.conf import settings

from config.limits import SUPPLIER_MAX_PAGES

from ..client import SupplierClient
from ..errors import FeedMalformed, SupplierBusy
from ..models import SyncRun
from ..selectors import etag_read_last, offers_exist
from .runs import run_begin, run_fail, run_page_note, run_unchanged_note


def supplier_sync() -> SyncRun:
    """Bring the offers up to date, or say in the run's note why there was nothing to do.

    Raises what `SupplierClient.page_fetch` raises, after noting it; the next run carries on where this one stopped.
    """
    run = run_begin()
    if run.state != SyncRun.State.RUNNING:
        return run
    try:
        with SupplierClient(settings.SUPPLIER_API_URL) as client:
            _pull(run, client)
    except Exception as error:
        run_fail(run=run, error=error, wait=error.wait if isinstance(error, SupplierBusy) else None)
        raise
    return SyncRun.objects.get(pk=run.pk)


def _pull(run: SyncRun, client: SupplierClient) -> None:
    known_etag = "" if run.cursor else etag_read_last()
    read: set[str] = set()
    while run.state == SyncRun.State.RUNNING:
        if run.cursor in read or len(read) == SUPPLIER_MAX_PAGES:
            raise FeedMalformed(f"it has no end: after {len(read)} pages comes {run.cursor!r} again")
        read.add(run.cursor)
        fetched = client.page_fetch(cursor=run.cursor, known_etag=known_etag)
        if fetched is None:
            run_unchanged_note(run=run, etag=known_etag)
            return
        if not fetched.page.offers and not run.cursor and offers_exist():
            # Believed, it would take everything off the shelf; a fault is likelier than a supplier without goods.
            raise FeedMalformed("it has no offers at all")
        run = run_page_note(run=run, page=fetched.page, etag=fetched.etag)
        known_etag = ""
