"""The image's way from received to published."""

from __future__ import annotations

from typing import Any

from celery import chain, group
from celery.canvas import Signature

from .renditions import SIZES
from .tasks import fetch_original, render_rendition, validate_original


def publication(image_id: int) -> Signature[Any]:
    """Fetch, validate, render in every size at once; the last one to be done has them stored and published.

    Steps share the id alone, so any one may run twice. The sizes are gathered in the database (`member_done`), as a
    chord would need a result backend.
    """
    steps: Signature[Any] = chain(
        fetch_original.si(image_id),
        validate_original.si(image_id),
        group(render_rendition.si(image_id, size) for size in SIZES),
    )
    return steps
