"""Taking an image in: an uploaded file's bytes go to storage at once, a URL is only written down."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.core.files.base import File

from config.limits import IMAGE_MAX_BYTES

from ..errors import UploadTooLarge
from ..fetching import checked_url
from ..models import Image
from .storing import original_name, stored_write

TITLE_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUpload:
    """An uploaded file that is in storage and has no row yet."""

    key: UUID
    name: str
    sha256: str
    bytes: int


def upload_store(*, file: File[Any]) -> StoredUpload:
    """Put an uploaded file into storage. Outside any transaction: it may take as long as storage takes.

    Raises UploadTooLarge.
    """
    if file.size > IMAGE_MAX_BYTES:
        raise UploadTooLarge(IMAGE_MAX_BYTES)
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    key, sha256, size = uuid4(), digest.hexdigest(), file.size
    name = original_name(key=key, sha256=sha256)
    stored_write(name=name, content=file)
    return StoredUpload(key=key, name=name, sha256=sha256, bytes=size)


def image_receive_upload(*, owner: User, title: str, upload: StoredUpload) -> Image:
    """Write down an uploaded image."""
    return Image.objects.create(
        owner=owner,
        key=upload.key,
        title=title[:TITLE_LENGTH] or "untitled",
        original_name=upload.name,
        sha256=upload.sha256,
        bytes=upload.bytes,
    )


def image_receive_url(*, owner: User, url: str) -> Image:
    """Write down a URL to fetch an image from. Raises FetchRefused for one that will not be fetched."""
    title = checked_url(url).path.rpartition("/")[2]
    printable = "".join(character for character in title if character.isprintable())
    return Image.objects.create(owner=owner, title=printable[:TITLE_LENGTH] or "untitled", source_url=url)
