"""Getting an image's original, and finding out whether it is one."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.db import transaction

from config.limits import IMAGE_FETCH_MAX_TIME, IMAGE_MAX_BYTES, IMAGE_MAX_PIXELS

from ..addresses import AddressPolicy
from ..fetching import FetchLimits, fetch
from ..inspection import inspect
from ..models import Image
from .states import image_advance, image_lock
from .storing import original_name, stored_delete, stored_read, stored_write


def original_fetch(*, image_id: int) -> None:
    """Fetch the original into storage, unless it is there: uploaded, or fetched by an earlier delivery.

    Raises what `fetch` raises.
    """
    image = Image.objects.get(pk=image_id)
    if image.original_name or image.is_over:
        return
    image_advance(image_id=image_id, before=Image.State.RECEIVED, after=Image.State.FETCHING)
    content = fetch(
        image.source_url,
        limits=FetchLimits(max_bytes=IMAGE_MAX_BYTES, max_time=IMAGE_FETCH_MAX_TIME),
        policy=AddressPolicy.allowing(settings.IMAGE_FETCH_ALLOWED_NETWORKS),
    )
    sha256 = hashlib.sha256(content).hexdigest()
    name = original_name(key=image.key, sha256=sha256)
    stored_write(name=name, content=content)
    kept = _original_noted(image_id=image_id, name=name, sha256=sha256, size=len(content))
    if kept != name:  # two deliveries at once were given different bytes
        stored_delete(name=name)


@transaction.atomic
def _original_noted(*, image_id: int, name: str, sha256: str, size: int) -> str:
    """Note the original unless another delivery was first; return the name that is on record."""
    image = image_lock(image_id=image_id)
    if not image.original_name:
        image.original_name, image.sha256, image.bytes = name, sha256, size
        image.save(update_fields=["original_name", "sha256", "bytes", "changed_at"])
    return image.original_name


def original_validate(*, image_id: int) -> None:
    """Inspect the original and write down what it is. Raises InvalidImage."""
    image = Image.objects.get(pk=image_id)
    if image.state not in (Image.State.RECEIVED, Image.State.FETCHING):
        return
    found = inspect(stored_read(name=image.original_name), max_pixels=IMAGE_MAX_PIXELS)
    with transaction.atomic():
        image = image_lock(image_id=image_id)
        if image.state not in (Image.State.RECEIVED, Image.State.FETCHING):
            return
        image.format, image.width, image.height = found.format, found.width, found.height
        image.state = Image.State.VALIDATED
        image.save(update_fields=["format", "width", "height", "state", "changed_at"])
