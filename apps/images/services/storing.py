"""Where an image's bytes lie, and how they get there.

Names are made of the image's key and the original's digest, so writing twice writes the same name: the storage has to
overwrite, and to show either the old bytes or the new ones, never half of them.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile, File
from django.core.files.storage import storages


def original_name(*, key: UUID, sha256: str) -> str:
    """The original's name in storage. It has no extension: nothing must take it for something to show."""
    return f"images/{key}/{sha256}/original"


def rendition_name(*, key: UUID, sha256: str, size: str, image_format: str) -> str:
    """A rendition's name in storage."""
    return f"images/{key}/{sha256}/{size}.{image_format}"


def stored_write(*, name: str, content: bytes | File[Any]) -> None:
    """Write *content* as *name*, over what may be there.

    Raises what the storage raises, and ImproperlyConfigured if it takes another name instead of overwriting.
    """
    file = ContentFile(content) if isinstance(content, bytes) else content
    written = storages["default"].save(name, file)
    if written != name:
        storages["default"].delete(written)
        raise ImproperlyConfigured(
            f"The storage wrote {written!r} for {name!r}: a repeated step would leave a copy each time. Set "
            "allow_overwrite (files) or file_overwrite (S3) in STORAGES['default']['OPTIONS']."
        )


def stored_read(*, name: str) -> bytes:
    """What is stored as *name*. Raises OSError if there is nothing."""
    with storages["default"].open(name) as file:
        content: bytes = file.read()
    return content


def stored_bytes(*, name: str) -> int | None:
    """How many bytes are stored as *name*, None if nothing is."""
    storage = storages["default"]
    return storage.size(name) if storage.exists(name) else None


def stored_delete(*, name: str) -> None:
    """Delete what is stored as *name*, if anything is."""
    storages["default"].delete(name)
