"""Files on this machine's disk, for whoever has no S3."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage


class AtomicFileSystemStorage(FileSystemStorage):
    """A name holds the old bytes or the new ones, whenever the process dies; saving a name again overwrites it.

    The bytes are written to `.<name>.part` beside the file, under a lock, and renamed. A part that a killed process
    left behind is written over by the next attempt at the same name, so that none pile up.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["allow_overwrite"] = True
        super().__init__(*args, **kwargs)

    def _save(self, name: str, content: File[Any]) -> str:
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        with os.fdopen(_locked(part), "wb") as file:
            for chunk in content.chunks():
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            part.replace(target)
        _sync_directory(target.parent)
        return name


def _locked(part: Path) -> int:
    """Open *part*, empty and locked. Another writer may have renamed it away while we waited: then a new one."""
    while True:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), part.stat()):
                os.ftruncate(descriptor, 0)
                return descriptor
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    """Make the rename itself outlive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
