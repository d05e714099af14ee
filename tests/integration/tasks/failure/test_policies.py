"""What an upstream asks for and what a policy's deadline says, kept over the attempts of one job."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from celery.exceptions import Retry
from django.test import override_settings
from django.utils import timezone

from tasks import RetryPolicy, Transient, task
from tasks.enqueue.models import OutboxMessage
from tests.integration.tasks.attempts.delivering import deliver, job

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class UpstreamBusy(Transient):
    """The upstream asks us to come later."""


@task("policies.ask_upstream", time_limit=MINUTE, retry_on=(httpx.HTTPStatusError,))
def ask_upstream() -> None:
    request = httpx.Request("GET", "https://example.com")
    httpx.Response(503, headers={"Retry-After": "600"}, request=request).raise_for_status()


@task("policies.wrap_upstream", time_limit=MINUTE)
def wrap_upstream() -> None:
    try:
        ask_upstream.run()
    except httpx.HTTPStatusError as error:
        raise UpstreamBusy("it is busy") from error


@task("policies.try_for_an_hour", time_limit=MINUTE, retry=RetryPolicy(max_retries=99, deadline=60 * MINUTE))
def try_for_an_hour() -> None:
    raise Transient("away")


def sent(of: Any) -> str:
    task_id: str = of.enqueue()
    OutboxMessage.objects.filter(task_id=task_id).update(state="sent")
    return task_id


@override_settings(TASKS={})
@pytest.mark.parametrize("of", [ask_upstream, wrap_upstream], ids=["a library's error", "wrapped in ours"])
def test_the_next_attempt_waits_for_as_long_as_the_upstream_asks(of: Any) -> None:
    """Coming sooner is answered with the same again, and may get us locked out."""
    task_id = sent(of)
    began = timezone.now()

    assert isinstance(deliver(of, task_id=task_id), Retry)
    assert began + 600 * SECOND <= job(task_id).due_at < timezone.now() + 603 * SECOND


@override_settings(TASKS={})
def test_the_deadline_is_for_all_attempts_together_whoever_makes_them() -> None:
    """When the first began travels with the job, from worker to worker."""
    task_id = sent(try_for_an_hour)
    began = timezone.now()

    assert isinstance(deliver(try_for_an_hour, task_id=task_id), Retry)
    headers = job(task_id).headers
    noted = headers["tasks_first_began_at"]
    assert noted >= began.isoformat()

    again = deliver(try_for_an_hour, task_id=task_id, retries=1, headers=headers, **headers_of(headers))
    assert isinstance(again, Retry)
    assert job(task_id).headers["tasks_first_began_at"] == noted

    late = {"tasks_first_began_at": (began - 60 * MINUTE).isoformat()}
    assert str(deliver(try_for_an_hour, task_id=task_id, retries=2, headers=late, **late)) == "away"
    assert job(task_id).state == "dead"
    assert json.dumps(job(task_id).headers)


def headers_of(headers: dict[str, Any]) -> dict[str, Any]:
    """The toolkit's, as Celery makes them attributes of the request."""
    return {name: value for name, value in headers.items() if name.startswith("tasks_")}
