"""Pictures to test with, drawn as they are needed."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

from apps.images.vips import libvips

PHOTOS = Path(__file__).parents[3] / "project" / "local" / "demo" / "photos"

RED, GREEN, BLUE, GREY = [200, 30, 30], [30, 160, 30], [30, 30, 200], [128, 128, 128]


def quarters(width: int = 300, height: int = 200) -> Any:
    """Red and green above blue and grey: no turn or mirroring of it looks the same."""
    vips = libvips()

    def block(colour: list[int]) -> Any:
        return vips.Image.black(width // 2, height // 2, bands=3) + colour

    joined = vips.Image.arrayjoin([block(RED), block(GREEN), block(BLUE), block(GREY)], across=2)
    return joined.cast("uchar").copy(interpretation="srgb")


def corners(image: Any) -> list[list[int]]:
    """The colours in the middle of the four quarters, in reading order."""
    right, lower = image.width * 3 // 4, image.height * 3 // 4
    left, upper = image.width // 4, image.height // 4
    return [[round(v) for v in image(x, y)] for y in (upper, lower) for x in (left, right)]


def noise(width: int = 300, height: int = 200) -> Any:
    """A picture whose file is long and the same everywhere in it."""
    vips = libvips()
    bands = [vips.Image.gaussnoise(width, height, mean=128, seed=seed) for seed in range(3)]
    return bands[0].bandjoin(bands[1:]).cast("uchar").copy(interpretation="srgb")


def tagged(image: Any, **tags: int | str | bytes) -> Any:
    """A copy of *image* with metadata; a tag's dashes are written as underscores."""
    value = libvips().GValue
    kinds = {int: value.gint_type, str: value.gstr_type, bytes: value.blob_type}
    copy = image.copy()
    for name, content in tags.items():
        copy.set_type(kinds[type(content)], name.replace("_", "-"), content)
    return copy


def encoded(image: Any, kind: str, **options: Any) -> bytes:
    """*image* as a file of one of the formats taken in."""
    if kind == "avif":
        return bytes(image.heifsave_buffer(compression="av1", effort=0, **options))
    return bytes(getattr(image, f"{kind}save_buffer")(**options))


def decoded(content: bytes) -> Any:
    """A file's pixels."""
    return libvips().Image.new_from_buffer(content, "").copy_memory()


def png_header_only(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that claims any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def near(one: list[int], other: list[int], tolerance: int = 6) -> bool:
    """Whether two colours are the same to the eye: lossy formats move them a little."""
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))
