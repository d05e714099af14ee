"""Taking a failed image up again, when the step that died is to be tried once more."""

from __future__ import annotations

from django.db import transaction

from ..models import Image
from .states import image_lock


@transaction.atomic
def image_reopen(*, image_id: int) -> None:
    """Bring a failed image back to how far it had come. One that hasn't failed stays as it is."""
    image = image_lock(image_id=image_id)
    if image.state != Image.State.FAILED:
        return
    image.state, image.error = _reached(image), ""
    image.save(update_fields=["state", "error", "changed_at"])


def _reached(image: Image) -> Image.State:
    """The state that its row says it was in."""
    if image.renditions.exists():
        return Image.State.RENDERING
    if image.format:
        return Image.State.VALIDATED
    return Image.State.FETCHING if image.original_name else Image.State.RECEIVED
