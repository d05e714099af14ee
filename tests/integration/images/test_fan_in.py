"""Gathering an image's sizes without a result backend: the last one goes on, and none is waited for twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections, transaction

from apps.images.models import Image, Rendition
from apps.images.renditions import SIZES, formats
from apps.images.services import rendering
from apps.images.services.originals import original_validate
from apps.images.services.publishing import image_fail
from apps.images.services.rendering import rendition_make
from project.local.waiting import wait_until
from tests.integration.images.drawing import encoded, quarters

pytestmark = pytest.mark.django_db(transaction=True)

Published = Callable[[], list[tuple[str, dict[str, Any]]]]


@pytest.fixture
def image(files: Path, received: Callable[[bytes], Image]) -> Image:
    """Validated, waiting for its renditions."""
    image = received(encoded(quarters(), "png"))
    original_validate(image_id=image.pk)
    return image


def rendition_make_all(image: Image) -> None:
    for size in SIZES:
        rendition_make(image_id=image.pk, size=size)


def test_the_next_step_is_published_when_the_last_size_is_done_and_not_before(
    image: Image, published: Published
) -> None:
    """Sooner, and an image would be published with a hole; never, and it would hang."""
    for size in ("large", "thumb"):
        rendition_make(image_id=image.pk, size=size)
        assert published() == []
    rendition_make(image_id=image.pk, size="medium")
    assert published() == [("images.store_renditions", {"image_id": image.pk})]
    assert Rendition.objects.count() == len(SIZES) * len(formats())


def test_a_member_that_is_delivered_twice_is_rendered_and_recorded_once(
    image: Image, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And doesn't count as two: the same member three times is not all three."""
    for _ in SIZES:
        rendition_make(image_id=image.pk, size="thumb")
        monkeypatch.setattr(rendering, "render", lambda *_, **__: pytest.fail("rendered again"))
    assert Rendition.objects.count() == len(formats())
    assert published() == []


def test_a_last_member_that_died_before_its_message_was_sent_sends_it_when_it_runs_again(
    image: Image, published: Published
) -> None:
    """Killed between commit and publish, its rows are there and its delivery comes back."""
    rendition_make_all(image)
    published()  # as if it had never been sent
    rendition_make(image_id=image.pk, size="medium")
    assert published() == [("images.store_renditions", {"image_id": image.pk})]


def make_elsewhere(image: Image, size: str) -> None:
    """As another process would, on a database connection of its own."""
    try:
        rendition_make(image_id=image.pk, size=size)
    finally:
        connections.close_all()


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


def test_of_two_members_that_end_at_once_the_second_sees_the_first(image: Image, published: Published) -> None:
    """Were each to look before the other's commit, both would see one missing, and nobody would go on."""
    rendition_make(image_id=image.pk, size="medium")
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            rendition_make(image_id=image.pk, size="thumb")
            other = pool.submit(make_elsewhere, image, "large")
            assert wait_until(lambda: other.done() or somebody_waits_for_a_lock(), within=timedelta(seconds=10))
        other.result(10)
    assert published() == [("images.store_renditions", {"image_id": image.pk})]


def test_members_delivered_twice_and_at_once_go_on_together(image: Image, published: Published) -> None:
    """Every size in two processes at the same moment: each is recorded once, and the image goes on."""
    start = Barrier(2 * len(SIZES))

    def make(size: str) -> None:
        start.wait(10)
        make_elsewhere(image, size)

    with ThreadPoolExecutor(2 * len(SIZES)) as pool:
        list(pool.map(make, [*SIZES, *SIZES]))
    messages = published()
    assert messages
    assert set(map(str, messages)) == {str(("images.store_renditions", {"image_id": image.pk}))}
    assert Rendition.objects.count() == len(SIZES) * len(formats())


def test_an_image_that_was_given_up_does_not_go_on(image: Image, published: Published) -> None:
    """One size failed for good; the others must not publish what is left."""
    rendition_make(image_id=image.pk, size="thumb")
    rendition_make(image_id=image.pk, size="medium")
    image_fail(image_id=image.pk, reason="large could not be rendered")
    rendition_make(image_id=image.pk, size="large")
    assert published() == []


def test_a_rendition_is_on_record_only_when_its_bytes_are_stored(
    image: Image, files: Path, published: Published
) -> None:
    """The row is what the next step believes."""
    rendition_make_all(image)
    for rendition in Rendition.objects.all():
        content = (files / rendition.storage_name).read_bytes()
        assert len(content) == rendition.bytes
        assert rendition.storage_name.endswith(f"/{rendition.name}.{rendition.format}")
        assert rendition.took.total_seconds() > 0
    assert image.renditions.filter(name="large").first().width == 300  # type: ignore[union-attr]
