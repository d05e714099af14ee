"""The end of an image's way: published, or failed with the reason."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from ..errors import RenditionMissing
from ..models import Image
from .states import image_lock
from .storing import stored_bytes


def renditions_store(*, image_id: int) -> None:
    """Make sure that every rendition on record is in storage, whole.

    Raises RenditionMissing for the first that is not.
    """
    image = Image.objects.get(pk=image_id)
    if image.is_over:
        return
    for rendition in image.renditions.all():
        if stored_bytes(name=rendition.storage_name) != rendition.bytes:
            raise RenditionMissing(rendition.storage_name, rendition.bytes)
    Image.objects.filter(pk=image_id, stored_at=None).update(stored_at=timezone.now())


@transaction.atomic
def image_publish(*, image_id: int) -> None:
    """Show the image to those who may see it."""
    image = image_lock(image_id=image_id)
    if image.is_over:
        return
    image.state = Image.State.PUBLISHED
    image.published_at = timezone.now()
    image.save(update_fields=["state", "published_at", "changed_at"])


@transaction.atomic
def image_fail(*, image_id: int, reason: str) -> None:
    """Give the image up, with *reason* as the sentence for its owner. A published image stays published."""
    image = image_lock(image_id=image_id)
    if image.is_over:
        return
    image.state = Image.State.FAILED
    image.error = reason[:500]
    image.save(update_fields=["state", "error", "changed_at"])
