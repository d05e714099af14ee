"""Photographs on their whole way, through a real worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile

from apps.images.models import Image
from apps.images.reception import upload_receive, url_receive
from apps.images.renditions import SIZES, formats
from apps.images.services.storing import stored_read
from apps.images.tasks import fetch_original
from tasks import RetryPolicy
from tasks.testing.waiting import eventually
from tests.e2e.images.conftest import MediaWorker, ended
from tests.integration.images.drawing import PHOTOS, decoded, encoded, noise, png_header_only
from tests.servers.s3 import S3Server
from tests.servers.web import WebServer, body, endless, in_turn, redirect, web_server

pytestmark = pytest.mark.timeout(300)

ALL_PHOTOS = sorted(path for path in PHOTOS.iterdir() if path.suffix in {".png", ".jpg"})


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


def upload(owner: User, content: bytes) -> Image:
    return upload_receive(owner=owner, title="a photo", file=ContentFile(content))


def assert_published(image: Image) -> None:
    assert image.state == "published", image.error
    assert image.renditions.count() == len(SIZES) * len(formats())
    for rendition in image.renditions.all():
        content = stored_read(name=rendition.storage_name)
        assert len(content) == rendition.bytes
        pixels = decoded(content)
        assert (pixels.width, pixels.height) == (rendition.width, rendition.height)


def test_five_photographs_are_published_by_upload_and_by_url(
    worker: MediaWorker, owner: User, server: WebServer, files: Path
) -> None:
    """The main job, on both ways in; and no file is left that nothing names."""
    assert len(ALL_PHOTOS) == 5
    images = []
    for photo in ALL_PHOTOS:
        server.answers[f"/{photo.name}"] = redirect(f"/there/{photo.name}")
        server.answers[f"/there/{photo.name}"] = body(photo.read_bytes())
        images += [upload(owner, photo.read_bytes()), url_receive(owner=owner, url=server.url(f"/{photo.name}"))]
    assert ended(*images)
    for image in images:
        assert_published(image)
    named = {image.original_name for image in images}
    named |= {rendition.storage_name for image in images for rendition in image.renditions.all()}
    assert {str(path.relative_to(files)) for path in files.rglob("*") if path.is_file()} == named


def test_photographs_are_published_from_s3(start_worker: Callable[..., MediaWorker], owner: User, s3: S3Server) -> None:
    """The same pipeline with the bytes behind a real S3 API, as the settings make it."""
    start_worker(S3_BUCKET="rootstock", S3_ENDPOINT_URL=s3.url, S3_ACCESS_KEY="test", S3_SECRET_KEY="test")
    images = [upload(owner, photo.read_bytes()) for photo in ALL_PHOTOS[:2]]
    assert ended(*images)
    for image in images:
        assert_published(image)
    assert len(s3.names()) == 2 * (1 + len(SIZES) * len(formats()))


def test_what_can_not_be_published_fails_with_a_sentence_and_no_worker_dies(
    worker: MediaWorker, owner: User, server: WebServer, files: Path
) -> None:
    """Whatever strangers send, the next person's photograph is published by the same processes."""
    server.answers["/inside"] = redirect("http://169.254.169.254/latest/meta-data/")
    server.answers["/endless"] = endless(server, chunk=b"x" * 1_000_000)
    whole = encoded(noise(), "png")
    first = upload(owner, ALL_PHOTOS[0].read_bytes())
    assert ended(first)
    before = {process.pid for process in worker.pool()}
    sentences = {
        upload(owner, b"I am not an image."): "This file can't be used: it is not a JPEG,",
        upload(owner, b"<svg xmlns='http://www.w3.org/2000/svg'/>"): "This file can't be used: it is not a JPEG,",
        upload(owner, b""): "This file can't be used: it is not a JPEG,",
        upload(owner, whole[: len(whole) // 2]): "This file can't be used: it is damaged or cut off.",
        upload(owner, png_header_only(60_000, 60_000)): "This file can't be used: it has 60000 × 60000 pixels,",
        url_receive(owner=owner, url=server.url("/missing")): "the server answered 404.",
        url_receive(owner=owner, url=server.url("/inside")): "its host is a link-local address.",
        url_receive(owner=owner, url=server.url("/endless")): "holds more than 25 MB,",
        url_receive(owner=owner, url="http://10.0.0.1/a.png"): "its host is a private address.",
    }
    assert ended(*sentences)
    for image, sentence in sentences.items():
        assert image.state == "failed"
        assert sentence in image.error
    last = upload(owner, ALL_PHOTOS[0].read_bytes())
    assert ended(last)
    assert_published(last)
    assert {process.pid for process in worker.pool()} == before


def test_a_server_in_trouble_is_asked_again_until_the_retries_end(
    worker: MediaWorker, owner: User, server: WebServer, files: Path
) -> None:
    """A passing failure is the worker's business; of a lasting one the user learns what the last attempt met."""
    photo = body(ALL_PHOTOS[0].read_bytes())
    server.answers["/a.png"] = in_turn(body(b"", status="503 Busy"), body(b"", status="500 Oops"), photo)
    server.answers["/b.png"] = body(b"", status="503 Busy")
    recovers = url_receive(owner=owner, url=server.url("/a.png"))
    fails = url_receive(owner=owner, url=server.url("/b.png"))
    assert ended(recovers, fails)
    assert_published(recovers)
    assert server.asked.count("/a.png") == 3
    assert fails.state == "failed"
    assert "the server answered 503" in fails.error
    assert server.asked.count("/b.png") == 1 + RetryPolicy().max_retries


@pytest.mark.parametrize("limit", ["soft", "hard"])
def test_an_image_whose_step_takes_too_long_is_failed(
    worker: MediaWorker, owner: User, server: WebServer, files: Path, limit: str
) -> None:
    """Even where the process can't notice and is killed; the user must not watch a dead page for ever."""
    server.answers["/slow"] = endless(server, chunk=b"x", pause=0.05)
    image = Image.objects.create(owner=owner, title="slow", source_url=server.url("/slow"))
    seconds = {"soft": 1, "hard": 4}[limit]  # for "hard", time enough to find the process before it notices
    fetch_original.apply_async((image.pk,), soft_time_limit=seconds, time_limit=seconds + 1)
    if limit == "hard":
        eventually(lambda: worker.talking_to(server.port))[0].suspend()
    assert ended(image)
    assert image.error == "It took too long to work on this image, and it was given up."


def test_the_worker_that_forks_holds_no_libvips(worker: MediaWorker, owner: User, files: Path) -> None:
    """Its threads would not survive the fork, and a child would wait for them for ever."""
    image = upload(owner, ALL_PHOTOS[0].read_bytes())
    assert ended(image)
    assert not loaded(worker.main.pid)
    assert any(loaded(process.pid) for process in worker.pool())


def loaded(pid: int) -> bool:
    return "libvips" in Path(f"/proc/{pid}/maps").read_text()
