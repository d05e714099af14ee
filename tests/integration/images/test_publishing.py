"""The end of an image's way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.images.errors import RenditionMissing
from apps.images.models import Image
from apps.images.renditions import SIZES
from apps.images.services.originals import original_validate
from apps.images.services.publishing import image_fail, image_publish, renditions_store
from apps.images.services.rendering import rendition_make
from tests.integration.images.drawing import encoded, quarters

pytestmark = pytest.mark.django_db(transaction=True)

Published = Callable[[], list[tuple[str, dict[str, Any]]]]


@pytest.fixture
def image(files: Path, received: Callable[[bytes], Image], published: Published) -> Image:
    """Rendered in every size."""
    image = received(encoded(quarters(), "png"))
    original_validate(image_id=image.pk)
    for size in SIZES:
        rendition_make(image_id=image.pk, size=size)
    published()
    return image


def test_an_image_is_published_when_its_renditions_are_in_storage(image: Image) -> None:
    """And stays as it is, whatever is delivered again afterwards."""
    renditions_store(image_id=image.pk)
    image_publish(image_id=image.pk)
    image.refresh_from_db()
    first = (image.state, image.stored_at, image.published_at)
    assert first[0] == "published"
    assert None not in first
    renditions_store(image_id=image.pk)
    image_publish(image_id=image.pk)
    image_fail(image_id=image.pk, reason="a late failure")
    for size in SIZES:
        rendition_make(image_id=image.pk, size=size)
    image.refresh_from_db()
    assert (image.state, image.stored_at, image.published_at) == first
    assert image.error == ""


@pytest.mark.parametrize("damage", ["deleted", "cut off"])
def test_an_image_whose_rendition_is_not_whole_is_not_published(
    image: Image, files: Path, published: Published, damage: str
) -> None:
    """Storage may lose what it confirmed; visitors should not be the ones to find out."""
    rendition = image.renditions.last()
    assert rendition
    path = files / rendition.storage_name
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RenditionMissing):
        renditions_store(image_id=image.pk)
    assert published() == []
    image.refresh_from_db()
    assert image.stored_at is None


def test_a_failure_keeps_its_sentence_and_the_first_one_wins(image: Image) -> None:
    """The second failure is only what followed from the first."""
    image_fail(image_id=image.pk, reason="too dark " * 100)
    image_fail(image_id=image.pk, reason="something else")
    image_publish(image_id=image.pk)
    image.refresh_from_db()
    assert image.state == "failed"
    assert image.error == ("too dark " * 100)[:500]
    assert image.published_at is None
