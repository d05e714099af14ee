"""What becomes of an image, by the real libvips."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.images.errors import InvalidImage
from apps.images.renditions import SIZES, Rendered, formats, render
from tests.integration.images.drawing import (
    BLUE,
    GREEN,
    GREY,
    PHOTOS,
    RED,
    corners,
    decoded,
    encoded,
    near,
    noise,
    quarters,
    tagged,
)

UPRIGHT = [RED, GREEN, BLUE, GREY]
# What a camera that was held so writes down, so that turning it as EXIF's orientation says gives the upright image.
HELD: dict[int, Any] = {
    1: lambda image: image,
    2: lambda image: image.fliphor(),
    3: lambda image: image.rot180(),
    4: lambda image: image.flipver(),
    5: lambda image: image.rot90().fliphor(),
    6: lambda image: image.rot270(),
    7: lambda image: image.rot270().fliphor(),
    8: lambda image: image.rot90(),
}


def one(content: bytes, image_format: str = "jpeg", edge: int = 160) -> Rendered:
    return next(each for each in render(content, edge=edge) if each.format == image_format)


def test_this_build_writes_all_three_formats() -> None:
    """The wheel that the lock file pins has the encoders; losing one on an upgrade must be noticed."""
    assert formats() == ("jpeg", "webp", "avif")


@pytest.mark.parametrize("orientation", HELD)
def test_the_orientation_that_a_camera_noted_is_applied(orientation: int) -> None:
    """All eight, mirrored ones too; and in every format written, as none carries the note on."""
    image = tagged(HELD[orientation](quarters()), orientation=orientation)
    for rendered in render(encoded(image, "jpeg", Q=95), edge=160):
        assert (rendered.width, rendered.height) == (160, 107)
        pixels = decoded(rendered.content)
        assert all(near(seen, wanted) for seen, wanted in zip(corners(pixels), UPRIGHT, strict=True))


def test_no_metadata_is_left() -> None:
    """A photograph tells where its owner lives; its renditions must not."""
    image = tagged(
        quarters().icc_transform("p3", input_profile="srgb"),
        exif_ifd0_Make="secret camera",
        exif_ifd3_GPSLatitude="52/1 30/1 0/1",
        xmp_data=b"<x:xmpmeta>secret place</x:xmpmeta>",
        iptc_data=b"secret caption",
    )
    original = encoded(image, "jpeg")
    assert b"secret camera" in original
    assert b"secret place" in original
    for rendered in render(original, edge=160):
        assert b"secret" not in rendered.content
        fields = set(decoded(rendered.content).get_fields())
        assert not {field for field in fields if field.startswith(("exif", "xmp", "iptc", "icc", "orientation"))}


def test_transparency_becomes_white_in_jpeg_and_stays_elsewhere() -> None:
    """Flattened onto black, a logo would be a black square."""
    content = encoded(quarters().bandjoin(0), "png")
    assert all(near(seen, [255, 255, 255]) for seen in corners(decoded(one(content).content)))
    for kind in ("webp", "avif"):
        pixels = decoded(one(content, kind).content)
        assert pixels.bands == 4
        assert pixels.extract_band(3).max() <= 1


@pytest.mark.parametrize("keep", ["icc", "none"])
def test_cmyk_becomes_srgb(keep: str) -> None:
    """With its printer's profile or without one, red stays red; unconverted, colours would be inverted or raw."""
    printed = quarters().icc_transform("cmyk", input_profile="srgb")
    for rendered in render(encoded(printed, "jpeg", keep=keep, Q=95), edge=160):
        pixels = decoded(rendered.content)
        assert pixels.bands == 3
        red, green, blue, grey = corners(pixels)
        assert max(red) == red[0] > 150
        assert max(green) == green[1] > 100
        assert max(blue) == blue[2] > 100
        assert near(grey, GREY, tolerance=25)


def test_wide_colours_are_converted_not_relabelled() -> None:
    """Numbers meant for a wide gamut look pale when they are shown as sRGB."""
    wide = quarters().icc_transform("p3", input_profile="srgb")
    assert not near([round(v) for v in wide(10, 10)], RED)
    seen = corners(decoded(one(encoded(wide, "png")).content))
    assert all(near(colour, wanted) for colour, wanted in zip(seen, UPRIGHT, strict=True))


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_become_eight(kind: str) -> None:
    """Scaled, not cut off: the low byte of a sixteen-bit value is noise."""
    deep = (quarters().cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    pixels = decoded(one(encoded(deep, kind)).content)
    assert pixels.format == "uchar"
    assert all(near(seen, wanted) for seen, wanted in zip(corners(pixels), UPRIGHT, strict=True))


@pytest.mark.parametrize("shape", ["grey", "grey with alpha", "palette"])
def test_fewer_channels_than_three_are_shown_as_well(shape: str) -> None:
    """Scans and icons come so."""
    grey = quarters().colourspace("b-w")
    content = {
        "grey": lambda: encoded(grey, "png"),
        "grey with alpha": lambda: encoded(grey.bandjoin(255).copy(interpretation="b-w"), "png"),
        "palette": lambda: encoded(quarters(), "png", palette=True),
    }[shape]()
    assert near(corners(decoded(one(content).content))[3], GREY)


@pytest.mark.parametrize("size", SIZES)
def test_the_longest_edge_fits_and_nothing_grows(size: str) -> None:
    """An upscaled image is larger and no better."""
    edge = SIZES[size]
    shapes = {(3000, 1500): (edge, edge // 2), (1500, 3000): (edge // 2, edge), (100, 50): (100, 50)}
    for (width, height), wanted in shapes.items():
        rendered = one(encoded(quarters(width, height), "jpeg"), edge=edge)
        pixels = decoded(rendered.content)
        assert (rendered.width, rendered.height) == (pixels.width, pixels.height) == wanted


def test_a_thread_of_an_image_keeps_one_pixel_of_width() -> None:
    """Scaled down by the long edge alone, its width would round to nothing."""
    rendered = one(encoded(quarters(2, 20_000).crop(0, 0, 1, 20_000), "png"))
    assert (rendered.width, rendered.height) == (1, 160)


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    """Not all frames below each other, as the pixels of an animation are stored."""
    frames = tagged(quarters().join(quarters().rot180(), "vertical"), page_height=200)
    rendered = one(encoded(frames, kind))
    assert (rendered.width, rendered.height) == (160, 107)
    seen = corners(decoded(rendered.content))
    assert all(near(colour, wanted, tolerance=15) for colour, wanted in zip(seen, UPRIGHT, strict=True))


def test_rendering_twice_gives_the_same_bytes() -> None:
    """A step that runs twice writes the same name; it must not change what is there."""
    photo = (PHOTOS / "coffee.png").read_bytes()
    assert [each.content for each in render(photo, edge=160)] == [each.content for each in render(photo, edge=160)]


@pytest.mark.parametrize("photo", ["astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg"])
def test_real_photographs_are_rendered_in_every_size_and_format(photo: str) -> None:
    """And come out smaller than they went in, looking like themselves."""
    original = (PHOTOS / photo).read_bytes()
    seen = decoded(original)
    if seen.get_typeof("icc-profile-data"):
        seen = seen.icc_transform("srgb", embedded=True)
    for edge in SIZES.values():
        for rendered in render(original, edge=edge):
            pixels = decoded(rendered.content)
            assert max(pixels.width, pixels.height) == min(edge, max(seen.width, seen.height))
            assert abs(pixels.avg() - seen.avg()) < 3
            assert len(rendered.content) < len(original)
            assert timedelta(0) < rendered.took < timedelta(seconds=60)


def test_bytes_that_can_not_be_rendered_are_our_error() -> None:
    """A task retries what it doesn't know; this can't get better."""
    with pytest.raises(InvalidImage):
        render(b"not an image", edge=160)
    for kind in ("jpeg", "png", "gif"):
        whole = encoded(noise(), kind)
        with pytest.raises(InvalidImage):
            render(whole[: len(whole) * 2 // 3], edge=160)
