"""A file that is there whole, or as it was before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TextIO

from django.core.management.base import CommandError


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Write to *path*: beside it until all is written, so that what breaks off leaves what was there.

    A pipe or a device has nothing to be kept, and is written to as it is. Raises CommandError where that can't be done.
    """
    place = path.resolve()
    is_kept = place.is_file() or not place.exists()
    written = place.with_name(f".{place.name}.{token_hex(4)}") if is_kept else place
    try:
        try:
            with written.open("x" if is_kept else "w", encoding="utf-8") as stream:
                yield stream
                stream.flush()
                if is_kept:
                    os.fsync(stream.fileno())
            if is_kept:
                if place.exists():
                    shutil.copymode(place, written)
                written.replace(place)
        finally:
            if is_kept:
                written.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(
            f"{str(path)!r} can't be written: {error.strerror}. Name a file in a directory that exists, is writable, "
            "and has room."
        ) from error
