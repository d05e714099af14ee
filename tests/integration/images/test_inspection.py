"""What is taken for an image and what is not, by the real libvips."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.images.errors import InvalidImage
from apps.images.inspection import Inspection, inspect
from config.limits import IMAGE_MAX_PIXELS
from tests.integration.images.drawing import PHOTOS, encoded, noise, png_header_only, quarters, tagged

FORMATS = ["jpeg", "png", "webp", "avif", "gif", "tiff"]


def inspect_here(content: bytes, max_pixels: int = IMAGE_MAX_PIXELS) -> Inspection:
    return inspect(content, max_pixels=max_pixels)


@pytest.mark.parametrize("kind", FORMATS)
def test_each_accepted_format_is_known_by_its_bytes(kind: str) -> None:
    """Names and content types come from strangers; bytes don't lie."""
    found = inspect_here(encoded(quarters(), kind))
    assert (found.format, found.width, found.height) == (kind, 300, 200)


@pytest.mark.parametrize(
    ("photo", "found"),
    [
        ("astronaut.png", Inspection(format="png", width=512, height=512)),
        ("chelsea.png", Inspection(format="png", width=451, height=300)),
        ("coffee.png", Inspection(format="png", width=600, height=400)),
        ("hubble_deep_field.jpg", Inspection(format="jpeg", width=1000, height=872)),
        ("rocket.jpg", Inspection(format="jpeg", width=640, height=427)),
    ],
)
def test_real_photographs_are_accepted(photo: str, found: Inspection) -> None:
    """The check must let through what people really send."""
    assert inspect_here((PHOTOS / photo).read_bytes()) == found


def test_width_and_height_are_as_seen_after_turning() -> None:
    """A phone held upright writes a lying image and a note to turn it."""
    found = inspect_here(encoded(tagged(quarters(), orientation=6), "jpeg"))
    assert (found.width, found.height) == (200, 300)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello, this is a text\n" * 50, id="text"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", id="svg"),
        pytest.param(b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", id="svg with a prologue"),
        pytest.param(b"%PDF-1.7\n%%EOF", id="pdf"),
        pytest.param(b"<!doctype html><img src=x>", id="html"),
        pytest.param(b"P6 2 2 255\n" + b"\0" * 12, id="ppm"),
        pytest.param(b"1,2\n3,4\n", id="csv"),
        pytest.param(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n\1\1\1\1", id="radiance"),
        pytest.param(b"PK\x03\x04" + b"\0" * 100, id="zip"),
        pytest.param(b"\xb6\xa6\xf2\x08" + b"\0" * 100, id="libvips's own"),
    ],
)
def test_what_is_no_photograph_is_refused_before_any_parser_sees_it(content: bytes) -> None:
    """SVG reads files and fetches URLs, PDF and others have parsers of doubtful safety: all are blocked."""
    with pytest.raises(InvalidImage, match="is not a JPEG, PNG, WebP, AVIF, GIF or TIFF image"):
        inspect_here(content)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_file_that_is_cut_off_is_refused(kind: str, part: float) -> None:
    """An upload that broke in the middle must not be published with a grey half."""
    content = encoded(noise(), kind)
    with pytest.raises(InvalidImage):
        inspect_here(content[: int(len(content) * part)])


@pytest.mark.parametrize("kind", FORMATS)
def test_one_pixel_too_many_is_refused_in_every_format(kind: str) -> None:
    """The limit is on pixels, not on bytes: a bomb is small."""
    content = encoded(quarters(), kind)
    inspect_here(content, max_pixels=60_000)
    with pytest.raises(InvalidImage, match="300 × 200 pixels"):
        inspect_here(content, max_pixels=59_999)


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    """A hundred bytes that claim ten gigabytes: nothing may be unpacked to find that out."""
    started = time.monotonic()
    with pytest.raises(InvalidImage, match="60000 × 60000 pixels, and at most 64 million are accepted"):
        inspect_here(png_header_only(60_000, 60_000))
    assert time.monotonic() - started < 10


def test_a_heic_image_is_told_from_an_avif_one() -> None:
    """Phones send it; the codec in it is not in the build, and the sentence says what to send instead."""
    avif = encoded(quarters(), "avif")
    with pytest.raises(InvalidImage, match="HEIC image; send it as JPEG or AVIF"):
        inspect_here(avif.replace(b"ftypavif", b"ftypheic"))


def test_an_image_in_more_than_screen_colours_is_refused() -> None:
    """A satellite's nine channels are no photograph."""
    nine = quarters().bandjoin([quarters(), quarters()]).copy(interpretation="multiband")
    with pytest.raises(InvalidImage, match="colours"):
        inspect_here(encoded(nine, "tiff"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.differing_executors])
@given(st.sampled_from(FORMATS), st.data())
def test_damaged_bytes_are_accepted_or_refused_and_nothing_else(kind: str, data: st.DataObject) -> None:
    """A parser's surprise must come out as our error, or the worker retries what can't succeed."""
    content = bytearray(encoded(quarters(60, 40), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidImage):
        inspect(bytes(content), max_pixels=1_000_000)
