"""Taking images in: what is stored and written down before any worker hears of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile

from apps.images import reception
from apps.images.errors import FetchRefused, UploadTooLarge
from apps.images.models import Image
from apps.images.reception import upload_receive, url_receive
from config.limits import IMAGE_MAX_BYTES

CONTENT = b"whatever was uploaded"


def stored_files(location: Path) -> list[Path]:
    return [path for path in location.rglob("*") if path.is_file()]


def test_an_upload_is_in_storage_before_its_message_is_sent(
    files: Path, owner: User, transactional_db: None, clean_broker: str
) -> None:
    """The message carries the id alone; a worker that takes it at once must find the bytes."""
    image = upload_receive(owner=owner, title="photo.png", file=ContentFile(CONTENT))
    image.refresh_from_db()
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert (image.state, image.title, image.sha256, image.bytes) == ("received", "photo.png", digest, len(CONTENT))
    assert image.original_name == f"images/{image.key}/{digest}/original"
    assert [path.read_bytes() for path in stored_files(files)] == [CONTENT]


def test_a_file_that_is_too_large_is_not_stored(files: Path, owner: User) -> None:
    """It would be refused later anyway, after filling the disk."""
    with pytest.raises(UploadTooLarge, match="25 MB"):
        upload_receive(owner=owner, title="large", file=ContentFile(b"x" * (IMAGE_MAX_BYTES + 1)))
    assert stored_files(files) == []
    assert not Image.objects.exists()


def test_a_file_whose_row_is_not_written_is_not_kept(
    files: Path, owner: User, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would ever find it, or delete it."""

    def refuse(image_id: int) -> None:
        raise RuntimeError

    monkeypatch.setattr(reception, "publication", refuse)
    with pytest.raises(RuntimeError):
        upload_receive(owner=owner, title="lost", file=ContentFile(CONTENT))
    assert stored_files(files) == []
    assert not Image.objects.exists()


@pytest.mark.parametrize(
    "url", ["ftp://pictures.example/a.png", "http://u:p@pictures.example/", "pictures", "http://x:22/"]
)
def test_a_url_that_will_not_be_fetched_is_refused_at_once(owner: User, url: str) -> None:
    """Its sender is still there to correct it."""
    with pytest.raises(FetchRefused):
        url_receive(owner=owner, url=url)
    assert not Image.objects.exists()


@pytest.mark.parametrize(
    ("url", "title"),
    [
        ("https://pictures.example/cats/chelsea.png?size=large", "chelsea.png"),
        ("https://pictures.example/caf%C3%A9%00%0a.png", "café.png"),
        ("https://pictures.example/", "untitled"),
        ("https://[pictures/a.png", "a.png"),
        ("https://pictures.example/" + "x" * 500, "x" * 200),
    ],
)
def test_an_image_by_url_is_called_after_its_file(
    owner: User, transactional_db: None, clean_broker: str, url: str, title: str
) -> None:
    """A list of addresses would be hard to read, and a title that the database refuses would be a crash."""
    image = url_receive(owner=owner, url=url)
    assert (image.title, image.source_url, image.state) == (title, url, "received")
