"""10 on the leased transport: bytes that no worker can be given come out of its intake as letters, by the relay."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import redis

from tasks.failure.letter_models import DeadLetter
from tests.e2e.letters import dying
from tests.e2e.letters.conftest import Stage
from tests.e2e.letters.dying import gone_through

pytestmark = pytest.mark.django_db(transaction=True)

NO_MESSAGES = {
    "bytes that are no text": b"\xff\xfe\x00",
    "an envelope that is no JSON": b"{not json",
    "JSON that is no envelope": b"[1, 2, 3]",
    "a body that is no base64": b'{"body": "abc", "content-type": "application/json", "content-encoding": "utf-8", '
    b'"headers": {"id": "corrupt", "task": "dying.note"}, "properties": {"body_encoding": "base64", '
    b'"delivery_tag": "x", "delivery_info": {"exchange": "default", "routing_key": "default"}}}',
}


@pytest.fixture(scope="module")
def stage(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A worker and a relay on the leased transport."""
    leased = f"redis+lease://{environment['BROKER_URL'].partition('://')[2]}"
    stage = Stage(tmp_path_factory.mktemp("leased"), {**environment, "BROKER_URL": leased})
    stage.worker.start()
    stage.relay.start()
    try:
        yield stage
    finally:
        stage.worker.kill()
        stage.relay.kill()


@pytest.mark.parametrize("what", NO_MESSAGES)
def test_bytes_that_are_no_message(stage: Stage, what: str) -> None:
    """With Celery's own transport each of them ends the worker's main process. Here the worker goes on."""
    before = stage.main_process.create_time()
    raw = NO_MESSAGES[what]
    with redis.Redis.from_url(f"redis://{os.environ['BROKER_URL'].partition('://')[2]}") as client:
        client.lpush("default", raw)
    stage.until(lambda: DeadLetter.objects.filter(raw=raw, reason="undecodable").exists(), what)

    diary = stage.diary(f"after {what}")
    dying.take_note.enqueue(diary, "carried out")
    stage.until(lambda: gone_through(diary) == ["carried out"])
    assert stage.main_process.create_time() == before
