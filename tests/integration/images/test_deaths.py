"""A step of an image dies, and is redriven."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from celery.exceptions import Ignore
from django.contrib.auth.models import User
from pytest_django import Settings

from apps.images.models import Image
from apps.images.services.originals import original_validate
from apps.images.services.publishing import image_fail
from apps.images.services.rendering import rendition_make
from apps.images.services.reopening import image_reopen
from apps.images.tasks import fetch_original
from tasks.execution.redrive import redrive
from tasks.failure.letter_models import DeadLetter
from tests.integration.images.drawing import encoded, quarters
from tests.integration.tasks.redrive.dying import delivered, sent
from tests.servers.web import body, web_server

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_image_has_failed_when_its_steps_job_is_dead(owner: User) -> None:
    """Not a moment later: a worker that is killed in between would leave it waiting for ever."""
    image = Image.objects.create(owner=owner, source_url="http://127.0.0.1/a.png")
    task_id = fetch_original.enqueue(image.pk)
    assert type(delivered(sent(task_id))).__name__ == "FetchRefused"
    image.refresh_from_db()
    assert image.state == "failed"
    assert image.error.startswith("http://127.0.0.1/a.png is not fetched: ")
    assert DeadLetter.objects.get(task_id=task_id).state == "open"
    assert isinstance(delivered(sent(task_id)), Ignore)


def test_a_redriven_step_does_its_work(owner: User, files: Path, settings: Settings) -> None:
    """It finds the image where it was, and not given up."""
    with web_server() as server:
        server.answers["/a.png"] = body(b"bytes")
        image = Image.objects.create(owner=owner, source_url=server.url("/a.png"))
        task_id = fetch_original.enqueue(image.pk)
        delivered(sent(task_id))
        settings.IMAGE_FETCH_ALLOWED_NETWORKS = ["127.0.0.1/32"]
        redrive(DeadLetter.objects.get(task_id=task_id), by="ada")
        image.refresh_from_db()
        assert (image.state, image.error) == ("received", "")
        delivered(sent(task_id))
    image.refresh_from_db()
    assert (image.state, image.bytes) == ("fetching", 5)
    assert DeadLetter.objects.get(task_id=task_id).state == "resolved"


@pytest.mark.parametrize("steps", range(3))
def test_a_reopened_image_is_as_far_as_it_had_come(files: Path, received: Callable[[bytes], Image], steps: int) -> None:
    """The step that is redriven goes on from there."""
    image = received(encoded(quarters(), "png"))
    done: tuple[Callable[[], None], ...] = (
        lambda: original_validate(image_id=image.pk),
        lambda: rendition_make(image_id=image.pk, size="thumb"),
    )
    for step in done[:steps]:
        step()
    image_fail(image_id=image.pk, reason="no")
    image_reopen(image_id=image.pk)
    image.refresh_from_db()
    assert (image.state, image.error) == (("fetching", "validated", "rendering")[steps], "")


def test_an_image_that_has_not_failed_is_not_reopened(owner: User) -> None:
    """It was published by another job since, say."""
    image = Image.objects.create(owner=owner, state="published", error="")
    image_reopen(image_id=image.pk)
    image.refresh_from_db()
    assert image.state == "published"
