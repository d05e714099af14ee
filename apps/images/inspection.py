"""Finds out whether bytes are an image that is accepted, before anything is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .errors import InvalidImage
from .vips import LOADERS, libvips

_FORMAT_OF: Final = {nickname: name for _, nickname, name in LOADERS}
# Channels of each kind of colour; one more may be transparency.
_CHANNELS: Final = {
    **dict.fromkeys(("b-w", "grey16"), 1),
    **dict.fromkeys(("srgb", "rgb", "rgb16", "scrgb", "lab", "labs"), 3),
    "cmyk": 4,
}
_FIRST_SIDEWAYS: Final = 5  # EXIF orientations 5 to 8 exchange width and height


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What an image is. Width and height are in pixels and as a viewer sees them, after EXIF's orientation."""

    format: str
    width: int
    height: int


def inspect(content: bytes, *, max_pixels: int) -> Inspection:
    """Read the header, then decode everything once. Of an animation or a document of pages, only the first frame.

    max_pixels: width times height, refused by the header alone, before any pixel is unpacked.
    Raises InvalidImage.
    """
    vips = libvips()
    try:
        image = vips.Image.new_from_buffer(content, "", access="sequential", fail_on="truncated")
    except vips.Error as error:
        raise InvalidImage("it is not a JPEG, PNG, WebP, AVIF, GIF or TIFF image") from error
    _check_header(image, max_pixels)
    try:
        image.avg()
    except vips.Error as error:
        raise InvalidImage("it is damaged or cut off") from error
    width, height = image.width, image.height
    if _orientation(image) >= _FIRST_SIDEWAYS:
        width, height = height, width
    return Inspection(format=_format(image), width=width, height=height)


def _check_header(image: Any, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise InvalidImage(
            f"it has {image.width} × {image.height} pixels, and at most {max_pixels / 1_000_000:g} million are accepted"
        )
    if image.get_typeof("heif-compression") and image.get("heif-compression") != "av1":
        raise InvalidImage("it is a HEIC image; send it as JPEG or AVIF")
    if image.bands - _CHANNELS.get(image.interpretation, -1) not in (0, 1):
        raise InvalidImage("its colours are not ones for a screen")


def _orientation(image: Any) -> int:
    return int(image.get("orientation")) if image.get_typeof("orientation") else 1


def _format(image: Any) -> str:
    return _FORMAT_OF[str(image.get("vips-loader")).removesuffix("_buffer")]
