"""An image's sizes: each is rendered once, however often and by however many its job is delivered."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections

from apps.images.models import Image
from apps.images.renditions import SIZES, formats
from apps.images.services.originals import original_validate
from apps.images.services.publishing import image_fail
from apps.images.services.rendering import rendition_make
from tests.integration.images.drawing import encoded, quarters

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def image(files: Path, received: Callable[[bytes], Image]) -> Image:
    """Validated, waiting for its renditions."""
    image = received(encoded(quarters(), "png"))
    original_validate(image_id=image.pk)
    return image


def test_a_size_delivered_twice_and_at_once_is_on_record_once(image: Image) -> None:
    """The chord counts its member once by its task id; the rows must agree."""

    def make(size: str) -> None:
        rendition_make(image_id=image.pk, size=size)
        connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, [size for size in SIZES for _ in range(2)]))
    made = list(image.renditions.values_list("name", "format"))
    assert len(made) == len(set(made)) == len(SIZES) * len(formats())


def test_an_image_that_was_given_up_is_not_rendered(image: Image) -> None:
    """Another member has failed; the work would be for nobody."""
    image_fail(image_id=image.pk, reason="no")
    rendition_make(image_id=image.pk, size="thumb")
    assert not image.renditions.exists()
