"""Runs against a real supplier: whole, resumed, overlapping, and told to wait."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.integrations.client import Fetched, SupplierClient
from apps.integrations.errors import FeedMalformed, RunReplaced, SupplierAway, SupplierBusy, SupplierRefused
from apps.integrations.feed import Offer, Page
from apps.integrations.models import SupplierOffer, SyncRun
from apps.integrations.services.runs import run_begin, run_fail, run_page_note, runs_delete_old
from apps.integrations.services.syncing import supplier_sync
from config.limits import SYNC_RESUME_WITHIN, SYNC_RUN_KEPT_FOR, SYNC_RUN_LEASE
from project.local.supplier_sandbox import catalogue
from tasks.testing.waiting import eventually
from tests.concurrency import at_once
from tests.servers.supplier_sandbox import SupplierSandbox
from tests.servers.web import body, web_server

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
State = SyncRun.State


def offers() -> dict[str, tuple[str, int, int]]:
    return {offer.sku: (offer.name, offer.price_cents, offer.available) for offer in SupplierOffer.objects.all()}


def offered(version: int) -> dict[str, tuple[str, int, int]]:
    return {
        offer["sku"]: (offer["name"], offer["price_cents"], offer["available"]) for offer in catalogue(version, 450)
    }


def asked(supplier: SupplierSandbox) -> list[str | None]:
    return [request["cursor"] for request in supplier.requests()]


def page(number: int, next_cursor: str | None) -> Page:
    return Page(offers=[Offer(sku=f"X-{number}", name="x", price_cents=1, available=1)], next_cursor=next_cursor)


def states(runs: Iterable[SyncRun]) -> list[str]:
    return sorted(run.state for run in runs)


def test_a_run_brings_the_whole_catalogue(supplier: SupplierSandbox) -> None:
    """Every page, and nothing else."""
    run = supplier_sync()
    assert offers() == offered(1)
    assert (run.state, run.pages, run.offers_seen, run.etag) == ("succeeded", 3, len(offered(1)), '"v1"')
    assert run.offers_changed == run.offers_seen
    assert run.ended_at is not None


def test_a_run_after_nothing_changed_asks_one_question(supplier: SupplierSandbox) -> None:
    """Every five minutes, for ever, it should cost next to nothing."""
    supplier_sync()
    run = supplier_sync()
    assert (run.state, run.pages, run.note) == ("succeeded", 0, "nothing has changed")
    assert supplier.requests()[-1] == {"cursor": None, "if_none_match": '"v1"', "status": 304}
    assert supplier_sync().note == "nothing has changed"


def test_a_run_after_a_change_brings_it_and_takes_off_what_is_gone(supplier: SupplierSandbox) -> None:
    """What the supplier no longer lists must not be promised to anybody."""
    supplier_sync()
    supplier.version(2)
    run = supplier_sync()
    now, gone = offered(2), offered(1).keys() - offered(2).keys()
    assert {sku: offer for sku, offer in offers().items() if sku in now} == now
    assert gone
    assert all(SupplierOffer.objects.get(sku=sku).available == 0 for sku in gone)
    changed = [sku for sku in now if offered(1).get(sku) != now[sku]]
    assert run.offers_changed == len(changed)
    assert run.offers_withdrawn == sum(offered(1)[sku][2] > 0 for sku in gone)


def test_a_failed_run_is_carried_on_where_it_stopped(supplier: SupplierSandbox) -> None:
    """The pages that were read are not read again, and the feed stays on the version that was begun."""
    supplier.fault("status", status=500, cursor="v1-200")
    with pytest.raises(SupplierAway):
        supplier_sync()
    failed = SyncRun.objects.get()
    assert (failed.state, failed.cursor, failed.pages) == ("failed", "v1-200", 1)
    assert "it answered 500" in failed.note
    supplier.version(2)
    run = supplier_sync()
    assert run.state == "succeeded"
    assert run.note == f"carries on run {failed.pk}"
    assert asked(supplier) == [None, "v1-200", "v1-200", "v1-400"]
    assert offers() == offered(1)
    supplier_sync()
    assert supplier.requests()[3 + 1]["if_none_match"] == '"v1"', "the version that was read, not the one that is"


def test_a_pass_that_keeps_failing_is_begun_anew(supplier: SupplierSandbox) -> None:
    """Its cursor may be what is wrong: a supplier forgets old ones."""
    supplier.fault("status", status=410, cursor="v1-200", times=2)
    for _ in range(2):
        with pytest.raises(SupplierRefused):
            supplier_sync()
    SyncRun.objects.update(pass_began_at=timezone.now() - SYNC_RESUME_WITHIN - SECOND)
    assert supplier_sync().state == "succeeded"
    assert asked(supplier) == [None, "v1-200", "v1-200", None, "v1-200", "v1-400"]


def test_a_supplier_that_asks_to_wait_is_left_alone_until_then(supplier: SupplierSandbox) -> None:
    """The next ticks come before that; they must not knock."""
    supplier.fault("status", status=429, retry_after=600)
    with pytest.raises(SupplierBusy):
        supplier_sync()
    skipped = supplier_sync()
    assert skipped.state == "skipped"
    assert "asks to be left alone until" in skipped.note
    assert len(supplier.requests()) == 1
    SyncRun.objects.filter(state=State.FAILED).update(not_before_at=timezone.now() - SECOND)
    assert supplier_sync().state == "succeeded"


def test_a_page_that_is_not_as_agreed_changes_nothing(supplier: SupplierSandbox) -> None:
    """What was known before is better than half of something."""
    supplier_sync()
    supplier.version(2)
    supplier.fault("malformed")
    with pytest.raises(FeedMalformed):
        supplier_sync()
    assert offers() == offered(1)


def test_an_empty_feed_is_taken_for_a_fault(supplier: SupplierSandbox, settings: Settings) -> None:
    """Believed, it would take everything off the shelf."""
    SupplierOffer.objects.create(sku="A", name="a", price_cents=1, available=1, seen_at=timezone.now())
    with web_server() as server:
        server.answers = {"/offers?limit=200": body(b'{"offers": [], "next_cursor": null}')}
        settings.SUPPLIER_API_URL = server.url()
        with pytest.raises(FeedMalformed, match="no offers at all"):
            supplier_sync()
    assert SupplierOffer.objects.get().available == 1


def test_a_feed_that_goes_in_circles_is_left(settings: Settings) -> None:
    """Otherwise the run would last until its time limit, each time."""
    answer = body(b'{"offers": [], "next_cursor": "again"}')
    with web_server() as server:
        server.answers = {"/offers?limit=200": answer, "/offers?limit=200&cursor=again": answer}
        settings.SUPPLIER_API_URL = server.url()
        with pytest.raises(FeedMalformed, match="it has no end"):
            supplier_sync()
        assert len(server.asked) == 2


def test_without_a_supplier_the_run_says_that_there_is_none(settings: Settings) -> None:
    """Not an error: a project may have no supplier. But whoever wonders finds the sentence."""
    settings.SUPPLIER_API_URL = ""
    run = supplier_sync()
    assert (run.state, run.note) == ("skipped", "SUPPLIER_API_URL is not set: there is no supplier to ask")


@pytest.mark.django_db(transaction=True)
def test_of_runs_that_overlap_one_runs_and_the_others_skip(
    supplier: SupplierSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow supplier makes a run last longer than five minutes; the next must not work against it."""
    over: list[SyncRun] = []
    page_fetch = SupplierClient.page_fetch

    def slow(client: SupplierClient, **which: str) -> Fetched | None:
        eventually(lambda: len(over) == 3)
        return page_fetch(client, **which)

    def sync() -> SyncRun:
        over.append(run := supplier_sync())
        return run

    monkeypatch.setattr(SupplierClient, "page_fetch", slow)
    runs = at_once(4, sync)
    assert all(isinstance(run, SyncRun) for run in runs), runs
    assert states(run for run in runs if isinstance(run, SyncRun)) == ["skipped", "skipped", "skipped", "succeeded"]
    assert asked(supplier) == [None, "v1-200", "v1-400"]


def test_a_run_whose_worker_died_is_found_and_carried_on(settings: Settings) -> None:
    """Nobody is there to mark it: it is known by its silence."""
    settings.SUPPLIER_API_URL = "http://supplier"
    dead = run_begin()
    run_page_note(run=dead, page=page(1, "second"), etag='"v1"')
    assert run_begin().state == State.SKIPPED
    SyncRun.objects.filter(pk=dead.pk).update(changed_at=timezone.now() - SYNC_RUN_LEASE - SECOND)
    run = run_begin()
    assert (run.state, run.cursor) == (State.RUNNING, "second")
    dead.refresh_from_db()
    assert (dead.state, dead.note) == (State.FAILED, "the worker that ran it went away")


def test_a_run_that_was_replaced_writes_nothing_any_more(settings: Settings) -> None:
    """It was only slow, and wakes up after another has taken its place."""
    settings.SUPPLIER_API_URL = "http://supplier"
    slow = run_begin()
    SyncRun.objects.filter(pk=slow.pk).update(changed_at=timezone.now() - SYNC_RUN_LEASE - SECOND)
    run = run_begin()
    with pytest.raises(RunReplaced):
        run_page_note(run=slow, page=page(1, None), etag="")
    run_fail(run=slow, error=RunReplaced(slow.pk), wait=None)
    assert SupplierOffer.objects.count() == 0
    slow.refresh_from_db()
    run.refresh_from_db()
    assert (slow.note, run.state) == ("the worker that ran it went away", State.RUNNING)


def test_old_runs_are_deleted_but_not_the_one_whose_etag_is_asked_with(settings: Settings) -> None:
    """288 a day add up; but without its ETag the whole feed would be read again."""
    old = timezone.now() - SYNC_RUN_KEPT_FOR - SECOND
    for state in (State.FAILED, State.SUCCEEDED, State.SUCCEEDED, State.SKIPPED):
        SyncRun.objects.create(state=state, started_at=old, pass_began_at=old)
    recent = SyncRun.objects.create(state=State.FAILED, started_at=timezone.now(), pass_began_at=timezone.now())
    assert runs_delete_old() == 3
    assert states(SyncRun.objects.all()) == ["failed", "succeeded"]
    assert SyncRun.objects.filter(pk=recent.pk).exists()


def test_page_and_api_are_for_those_with_the_permission(client: Client, admin_client: Client) -> None:
    """Purchase prices are not for every customer."""
    SyncRun.objects.create(state=State.SKIPPED, note="why", started_at=timezone.now(), pass_began_at=timezone.now())
    SupplierOffer.objects.create(sku="A-1", name="Wax", price_cents=1, available=1, seen_at=timezone.now())
    customer = User.objects.create_user("customer")
    client.force_login(customer)
    urls = ("/supplier/", "/api/supplier/offers", "/api/supplier/runs")
    assert [client.get(url).status_code for url in urls] == [403, 403, 403]
    page, listed, runs = [admin_client.get(url) for url in urls]
    assert b"A-1" in page.content
    assert b"why" in page.content
    assert [offer["sku"] for offer in listed.json()["items"]] == ["A-1"]
    assert [run["note"] for run in runs.json()["items"]] == ["why"]
