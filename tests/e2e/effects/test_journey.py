from __future__ import annotations

import subprocess, sys, time, os, signal
from pathlib import Path
import pytest
from celery import chain, current_app
from django.db import transaction
from tasks.enqueue.outbox import enqueue, publish
from tasks.enqueue.relay import Relay
from tasks.enqueue.status import status, JobStatus
from tasks.enqueue.models import OutboxMessage
from tests.e2e.effects import sample_tasks as sample


def wait_for(cond, within=20):
    end = time.monotonic() + within
    while time.monotonic() < end:
        if cond():
            return
        time.sleep(0.05)
    raise AssertionError("not in time")


@pytest.fixture
def worker(process_environment, tmp_path):
    log = (tmp_path / "worker.log").open("w")
    p = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "project",
            "worker",
            "-Q",
            "default,critical,high,low",
            "-c",
            "2",
            "--include",
            "tests.e2e.effects.sample_tasks,tests.e2e.effects.sample_chords",
            "--without-gossip",
            "--without-mingle",
            "-n",
            "t@%h",
        ],
        env=process_environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    yield p
    os.killpg(p.pid, signal.SIGKILL)
    p.wait()
    print((tmp_path / "worker.log").read_text()[-6000:])


def drain():
    with Relay(current_app) as relay:
        relay.promote_due()
        return relay.send_batch().sent


def test_journey(worker, tmp_path, process_environment):
    diary = tmp_path / "diary"
    with transaction.atomic():
        a = sample.write_note.enqueue(str(diary), "a")
    assert status(a) is JobStatus.QUEUED
    c = enqueue(
        chain(
            sample.write_note_once.si(str(diary), "one"),
            sample.call_outside.si(str(diary), "two"),
            sample.write_note.si(str(diary), "three"),
        ).on_error(sample.write_note.si(str(diary), "err"))
    )
    r = sample.fail_at_first.enqueue(str(diary), 2)
    f = enqueue(
        chain(sample.fail.si(str(diary)), sample.write_note.si(str(diary), "never")).on_error(
            sample.write_note.si(str(diary), "err2")
        )
    )

    def done():
        drain()
        return (
            status(c) is JobStatus.SUCCEEDED
            and status(r) is JobStatus.SUCCEEDED
            and diary.exists()
            and "err2" in diary.read_text()
        )

    try:
        wait_for(done)
    finally:
        print(diary.read_text() if diary.exists() else "-")
        print([(m.name, m.state, m.retries, m.problem) for m in OutboxMessage.objects.all()])
    assert sorted(diary.read_text().split("\n")) == sorted(
        ["", "a", "one", "two", "three", "attempt 0", "attempt 1", "attempt 2", "failing", "err2"]
    )
