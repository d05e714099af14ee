"""Making one size of an image, and noticing when it was the last."""

from __future__ import annotations

from django.db import transaction

from tasks.enqueue.after_commit import publish

from ..models import Image, Rendition
from ..renditions import SIZES, Rendered, render
from .states import image_advance, image_lock
from .storing import rendition_name, stored_read, stored_write


def rendition_make(*, image_id: int, size: str) -> None:
    """Render the image in *size*, a key of SIZES, in every format; store and record it. Raises InvalidImage."""
    image = Image.objects.get(pk=image_id)
    if image.is_over:
        return
    rows: list[Rendition] = []
    if not image.renditions.filter(name=size).exists():
        image_advance(image_id=image_id, before=Image.State.VALIDATED, after=Image.State.RENDERING)
        rendered = render(stored_read(name=image.original_name), edge=SIZES[size])
        rows = [_stored(image, size, one) for one in rendered]
    member_done(image_id=image_id, rows=rows)


def _stored(image: Image, size: str, rendered: Rendered) -> Rendition:
    name = rendition_name(key=image.key, sha256=image.sha256, size=size, image_format=rendered.format)
    stored_write(name=name, content=rendered.content)
    return Rendition(
        image=image,
        name=size,
        format=rendered.format,
        width=rendered.width,
        height=rendered.height,
        bytes=len(rendered.content),
        storage_name=name,
        took=rendered.took,
    )


@transaction.atomic
def member_done(*, image_id: int, rows: list[Rendition]) -> None:
    """The fan-in: record one member's *rows*; when every size is on record, publish the next step.

    Under the image's row lock, so of two members that end together the second sees the first. Not only the last
    member publishes but every delivery that finds all of them done: were it only the last, a crash between its commit
    and its message would stop the image for ever. The next step may therefore be delivered more than once.
    """
    image = image_lock(image_id=image_id)
    Rendition.objects.bulk_create(rows, ignore_conflicts=True)
    done = set(image.renditions.values_list("name", flat=True))
    if not image.is_over and done >= SIZES.keys():
        publish("images.store_renditions", image_id=image_id)
