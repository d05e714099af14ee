"""Fetching and validating an image's original, however often the step is delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from apps.images import fetching
from apps.images.errors import FetchFailed, FetchRefused, InvalidImage
from apps.images.models import Image
from apps.images.services import originals
from apps.images.services.originals import original_fetch, original_validate
from apps.images.services.publishing import image_fail
from tests.integration.images.drawing import PHOTOS, encoded, quarters
from tests.servers.web import WebServer, body, web_server

PHOTO = (PHOTOS / "rocket.jpg").read_bytes()


@pytest.fixture
def server(settings: Settings) -> Iterator[WebServer]:
    settings.IMAGE_FETCH_ALLOWED_NETWORKS = ("127.0.0.0/8",)
    with web_server() as server:
        server.answers["/rocket.jpg"] = body(PHOTO)
        yield server


def by_url(owner: User, url: str) -> Image:
    return Image.objects.create(owner=owner, title="a photo", source_url=url)


def stored_files(location: Path) -> list[Path]:
    return [path for path in location.rglob("*") if path.is_file()]


def test_a_url_is_fetched_once_however_often_the_step_is_delivered(files: Path, owner: User, server: WebServer) -> None:
    """A job that runs twice must not ask a stranger's server twice, nor leave two files."""
    image = by_url(owner, server.url("/rocket.jpg"))
    original_fetch(image_id=image.pk)
    original_fetch(image_id=image.pk)
    image.refresh_from_db()
    assert server.asked == ["/rocket.jpg"]
    assert image.state == "fetching"
    assert image.bytes == len(PHOTO)
    assert [path.read_bytes() for path in stored_files(files)] == [PHOTO]


def test_of_two_deliveries_at_once_one_original_is_kept(
    files: Path, owner: User, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may answer differently each time; the row, and storage, must agree on one answer."""
    image = by_url(owner, server.url("/rocket.jpg"))
    fetch = fetching.fetch

    def overtaken(*args: object, **kwargs: object) -> bytes:
        """While this delivery is fetching, another one gets something else and is done first."""
        monkeypatch.setattr(originals, "fetch", fetch)
        original_fetch(image_id=image.pk)
        return b"another answer"

    monkeypatch.setattr(originals, "fetch", overtaken)
    original_fetch(image_id=image.pk)
    image.refresh_from_db()
    assert [path.read_bytes() for path in stored_files(files)] == [PHOTO]
    assert (files / image.original_name).read_bytes() == PHOTO


def test_nothing_is_allowed_inside_unless_the_settings_say_so(
    files: Path, owner: User, server: WebServer, settings: Settings
) -> None:
    """The default must be the safe one."""
    settings.IMAGE_FETCH_ALLOWED_NETWORKS = ()
    with pytest.raises(FetchRefused):
        original_fetch(image_id=by_url(owner, server.url("/rocket.jpg")).pk)
    assert server.asked == []


def test_a_fetch_that_failed_leaves_the_image_to_be_fetched_again(files: Path, owner: User, server: WebServer) -> None:
    """What is transient is retried by the task; the service must let it."""
    server.answers["/rocket.jpg"] = body(b"", status="503 Busy")
    image = by_url(owner, server.url("/rocket.jpg"))
    with pytest.raises(FetchFailed):
        original_fetch(image_id=image.pk)
    server.answers["/rocket.jpg"] = body(PHOTO)
    original_fetch(image_id=image.pk)
    image.refresh_from_db()
    assert image.bytes == len(PHOTO)


def test_validating_writes_down_what_the_original_is(files: Path, received: Callable[[bytes], Image]) -> None:
    """And does so once: a late second delivery must not throw a rendering image back."""
    image = received(PHOTO)
    original_validate(image_id=image.pk)
    image.refresh_from_db()
    assert (image.state, image.format, image.width, image.height) == ("validated", "jpeg", 640, 427)
    Image.objects.update(state=Image.State.RENDERING)
    original_validate(image_id=image.pk)
    image.refresh_from_db()
    assert image.state == "rendering"


def test_what_is_no_image_is_refused_by_its_content(files: Path, received: Callable[[bytes], Image]) -> None:
    """The state stays; giving up is a step of its own."""
    image = received(b"GIF? no.")
    with pytest.raises(InvalidImage):
        original_validate(image_id=image.pk)


def test_an_image_that_was_given_up_is_left_alone(files: Path, owner: User, server: WebServer) -> None:
    """Steps that were on their way when it failed find nothing to do."""
    image = by_url(owner, server.url("/rocket.jpg"))
    image_fail(image_id=image.pk, reason="given up")
    original_fetch(image_id=image.pk)
    original_validate(image_id=image.pk)
    image.refresh_from_db()
    assert (image.state, image.error, server.asked) == ("failed", "given up", [])


def test_the_same_bytes_sent_twice_are_two_images(files: Path, received: Callable[[bytes], Image]) -> None:
    """Content names are below the image's own key: deleting one must never empty another."""
    content = encoded(quarters(), "png")
    one, other = received(content), received(content)
    assert one.sha256 == other.sha256
    assert one.original_name != other.original_name
