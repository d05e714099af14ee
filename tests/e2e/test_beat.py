"""A real beat and a real worker: what is declared fires, and what a person switches off in the admin stops."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from apps.integrations.models import SupplierOffer, SyncRun
from apps.ops.services.schedules import schedules_sync
from config.schedules import Entry
from project.local.child import Child
from project.local.waiting import wait_until
from tests.servers.procfile import StartProcess, start_process
from tests.servers.supplier_sandbox import SupplierSandbox, supplier

__all__ = ["start_process", "supplier"]

WITHIN = timedelta(seconds=60)
SECOND = timedelta(seconds=1)
SYNC = Entry(
    name="Sync", task="integrations.sync_supplier", when=SECOND, expires=30 * SECOND, missed="Skipped: a test."
)
CHORE = Entry(name="Chore", task="ops.clear_sessions", when=SECOND, missed="Skipped: a test.")


def runs() -> int:
    return SyncRun.objects.filter(state=SyncRun.State.SUCCEEDED).count()


def chore_fires(beat: Child) -> None:
    """Wait until the chore has been done once more."""
    Session.objects.create(session_key="old", session_data="", expire_date=timezone.now() - SECOND)
    assert wait_until(lambda: not Session.objects.exists(), within=WITHIN), beat.log_tail()


@pytest.mark.django_db(transaction=True)
def test_an_entry_fires_every_few_seconds_until_a_person_switches_it_off(
    start_process: StartProcess, supplier: SupplierSandbox, admin_client: Client
) -> None:
    """Through the database's scheduler, so that neither a new entry nor a switch needs a restart."""
    schedules_sync(entries=[SYNC])
    worker = start_process("worker_low", SUPPLIER_API_URL=supplier.url)
    beat = start_process("beat")
    assert wait_until(lambda: runs() >= 3, within=WITHIN), beat.log_tail() + worker.log_tail()
    assert SupplierOffer.objects.count() == SyncRun.objects.order_by("pk")[0].offers_seen

    schedules_sync(entries=[SYNC, CHORE])
    chosen = {"action": "disable_tasks", "_selected_action": [str(PeriodicTask.objects.get(name="Sync").pk)]}
    assert admin_client.post("/admin/django_celery_beat/periodictask/", chosen).status_code == 302
    Session.objects.all().delete()  # the person has left
    for _ in range(2):  # the first may have been sent before beat had read of the switch
        chore_fires(beat)
    before = SyncRun.objects.count()
    for _ in range(3):
        chore_fires(beat)
    assert SyncRun.objects.count() <= before + 1, "one may have been on its way"
    schedules_sync(entries=[SYNC, CHORE])
    assert not PeriodicTask.objects.get(name="Sync").enabled
