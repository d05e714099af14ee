"""An image's row lock, and the states that say only how far it has come."""

from __future__ import annotations

from django.utils import timezone

from ..models import Image


def image_lock(*, image_id: int) -> Image:
    """The image, locked until the transaction ends. Raises Image.DoesNotExist."""
    return Image.objects.select_for_update().get(pk=image_id)


def image_advance(*, image_id: int, before: Image.State, after: Image.State) -> None:
    """Move an image that is still in *before*; one that another delivery moved on stays where it is."""
    Image.objects.filter(pk=image_id, state=before).update(state=after, changed_at=timezone.now())
