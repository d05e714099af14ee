"""Making one size of an image."""

from __future__ import annotations

from ..models import Image, Rendition
from ..renditions import SIZES, Rendered, render
from .states import image_advance
from .storing import rendition_name, stored_read, stored_write


def rendition_make(*, image_id: int, size: str) -> None:
    """Render the image in *size*, a key of SIZES, in every format; store and record it. Raises InvalidImage."""
    image = Image.objects.get(pk=image_id)
    if image.is_over or image.renditions.filter(name=size).exists():
        return
    image_advance(image_id=image_id, before=Image.State.VALIDATED, after=Image.State.RENDERING)
    rendered = render(stored_read(name=image.original_name), edge=SIZES[size])
    Rendition.objects.bulk_create([_stored(image, size, one) for one in rendered], ignore_conflicts=True)


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
