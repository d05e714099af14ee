from __future__ import annotations
import pytest
from celery import chain, chord, group
from tasks.enqueue.outbox import enqueue
from tasks.enqueue.models import OutboxMessage
from tasks.execution.batch import Batch
from tasks.execution.batch_models import Batch as Row, BatchMember
from tests.e2e.effects import sample_chords as sample
from tests.e2e.effects.test_journey import wait_for, drain, worker


def check(diary, lines):
    def done():
        drain()
        return diary.exists() and sorted(diary.read_text().split("\n")[:-1]) == sorted(lines)

    try:
        wait_for(done, 10)
        drain()
    except BaseException:
        print(diary.read_text() if diary.exists() else "-")
        print([(m.name, m.state, m.retries, m.problem, m.body[:300]) for m in OutboxMessage.objects.all()])
        print(Row.objects.values(), BatchMember.objects.values())
        raise


def test_chord(worker, tmp_path):
    d = tmp_path / "diary"
    enqueue(chord([sample.double.si(n) for n in range(5)], sample.total.s(str(d))))
    enqueue(chain(group(sample.double.si(n) for n in (7, 8)), sample.total.s(str(d)), sample.tell.si(str(d), "after")))
    enqueue(chain(sample.tell.si(str(d), "before"), group(sample.double.si(n) for n in (1, 2)), sample.total.s(str(d))))
    enqueue(chord([sample.double.si(1), sample.plain_double.si(50)], sample.total.s(str(d))))
    enqueue(chord([chain(sample.double.si(100), sample.double.s()), sample.double.si(1)], sample.total.s(str(d))))
    enqueue(
        chord(
            [chain(sample.die.si(), sample.double.s()), sample.die.si(), sample.double.si(1)],
            sample.total.s(str(d)).on_error(sample.tell.si(str(d), "chord died")),
        )
    )
    check(
        d,
        [
            "total 20 of [0, 2, 4, 6, 8]",
            "total 30 of [14, 16]",
            "after",
            "before",
            "total 6 of [2, 4]",
            "total 102 of [2, 100]",
            "total 402 of [400, 2]",
            "chord died",
        ],
    )


def test_batch(worker, tmp_path):
    d = tmp_path / "diary"
    with Batch(
        complete=sample.tell.si(str(d), "complete"),
        success=sample.tell.si(str(d), "success"),
        death=sample.tell.si(str(d), "death"),
    ) as batch:
        for n in range(5):
            batch.add(sample.double.si(n))
        batch.add(chain(sample.double.si(1), sample.double.s()))
        with batch.nested(success=sample.tell.si(str(d), "inner")) as inner:
            inner.add(sample.double.si(5))
    with Batch(
        complete=sample.tell.si(str(d), "complete2"),
        success=sample.tell.si(str(d), "success2"),
        death=sample.tell.si(str(d), "death2"),
    ) as batch2:
        batch2.add(chain(sample.die.si(), sample.double.si(1)))
        batch2.add(sample.die.si())
        batch2.add(sample.double.si(1))
    with Batch(complete=sample.tell.si(str(d), "empty")):
        pass
    check(d, ["complete", "success", "inner", "complete2", "death2", "empty"])
    p = Batch.progress(batch.id)
    assert (p.total, p.succeeded, p.dead, p.pending) == (7, 7, 0, 0)
    p = Batch.progress(batch2.id)
    assert (p.total, p.succeeded, p.dead) == (3, 1, 2)
