"""The image's way from received to published."""

from __future__ import annotations

from typing import Any

from celery import chain, group
from celery.canvas import Signature

from .renditions import SIZES
from .tasks import fetch_original, publish_image, render_rendition, store_renditions, validate_original


def publication(image_id: int) -> Signature[Any]:
    """Fetch, validate, render in every size at once; when all sizes are done, store and publish.

    Steps share the id alone, so any one may run twice. The sizes are a chord, counted in the database.
    """
    steps: Signature[Any] = chain(
        fetch_original.si(image_id),
        validate_original.si(image_id),
        group(render_rendition.si(image_id, size) for size in SIZES),
        store_renditions.si(image_id),
        publish_image.si(image_id),
    )
    return steps
