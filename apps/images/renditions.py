"""Renders an image in a size and every format that browsers want.

Turned as EXIF says, in sRGB with 8 bits a channel, without any metadata (so without the place where it was taken),
never larger than it was. Of an animation, the first frame. JPEG has no transparency: it gets a white ground.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

from .errors import InvalidImage
from .vips import libvips

# Name of a size, and its longest edge in pixels.
SIZES: Final[dict[str, int]] = {"thumb": 160, "medium": 640, "large": 1280}

CONTENT_TYPES: Final[dict[str, str]] = {"jpeg": "image/jpeg", "webp": "image/webp", "avif": "image/avif"}

_WHITE: Final = [255, 255, 255]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One rendition's bytes. `took` counts its encoding and its share of the decoding."""

    format: str
    content: bytes
    width: int
    height: int
    took: timedelta


def render(content: bytes, *, edge: int) -> list[Rendered]:
    """Render in each of `formats()`, the longest edge at most *edge* pixels. Raises InvalidImage.

    Meant for bytes that `inspect` let through: the number of pixels is not checked again.
    """
    vips = libvips()
    started = time.perf_counter()
    try:
        pixels = _shrunk(content, edge)
        decoding = (time.perf_counter() - started) / len(formats())
        return [_encoded(pixels, name, decoding) for name in formats()]
    except vips.Error as error:
        raise InvalidImage("it is damaged or of a kind that can't be shown") from error


@cache
def formats() -> tuple[str, ...]:
    """The formats that this build of libvips can write: JPEG always, WebP and AVIF where it has the encoder."""
    vips = libvips()
    sample = vips.Image.black(16, 16, bands=3).copy(interpretation="srgb")
    able = []
    for name, encode in _ENCODERS.items():
        try:
            encode(sample)
        except vips.Error:
            continue
        able.append(name)
    return tuple(able)


def _shrunk(content: bytes, edge: int) -> Any:
    """The pixels in memory: decoding is done once for all formats."""
    vips = libvips()
    # An image in CMYK without a profile is taken for the usual offset print.
    header = vips.Image.new_from_buffer(content, "", access="sequential")
    assumed = {"input_profile": "cmyk"} if header.interpretation == "cmyk" else {}
    return vips.Image.thumbnail_buffer(
        content,
        edge,
        height=edge,
        size="down",
        output_profile="srgb",
        intent="perceptual",
        option_string="[fail_on=truncated]",  # its own argument `fail_on` does not reach the loader
        **assumed,
    ).copy_memory()


def _encoded(pixels: Any, name: str, decoding: float) -> Rendered:
    started = time.perf_counter()
    content = _ENCODERS[name](pixels)
    took = timedelta(seconds=decoding + time.perf_counter() - started)
    return Rendered(format=name, content=content, width=pixels.width, height=pixels.height, took=took)


def _jpeg(pixels: Any) -> bytes:
    flat = pixels.flatten(background=_WHITE) if pixels.hasalpha() else pixels
    return bytes(flat.jpegsave_buffer(Q=82, optimize_coding=True, interlace=True, keep="none"))


def _webp(pixels: Any) -> bytes:
    return bytes(pixels.webpsave_buffer(Q=80, keep="none"))


def _avif(pixels: Any) -> bytes:
    # Effort 2 of 9: 4 takes seven times as long and saves nothing to speak of.
    return bytes(pixels.heifsave_buffer(compression="av1", Q=55, effort=2, keep="none"))


_ENCODERS: Final[dict[str, Callable[[Any], bytes]]] = {"jpeg": _jpeg, "webp": _webp, "avif": _avif}
