"""The books' file: JSON, one entry a line, on disk before `append` returns.

An entry is true once its line is whole. A process killed while it wrote leaves a last line without its end; nobody was
told of that entry, so it is cut off at the next start. Whatever else can't be read is damage, and is not repaired.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any


class BooksInUse(OSError):
    """Another sandbox writes to the same file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"another payment sandbox keeps its books in {self.path}: stop it, or name another file"


class BooksDamaged(ValueError):
    """A line of the file, counted from 1, is no entry."""

    def __init__(self, path: str, line: int) -> None:
        super().__init__(path, line)
        self.path, self.line = path, line

    def __str__(self) -> str:
        return f"line {self.line} of {self.path} is no entry of the books: mend or move the file"


class Journal:
    """The open file, locked against a second writer. `entries` holds what was in it. Not safe across threads.

    Raises BooksInUse, BooksDamaged, and OSError for a file that can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise BooksInUse(str(path)) from None
        self.entries, self._size = self._read()
        os.ftruncate(self._file, self._size)
        _sync_directory(path.parent)

    def append(self, entry: dict[str, Any]) -> None:
        """Write *entry* and wait for the disk. After an OSError the file is as it was before."""
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)

    def close(self) -> None:
        """Let go of the file. A later `append` raises OSError."""
        os.close(self._file)
        self._file = -1

    def _read(self) -> tuple[list[dict[str, Any]], int]:
        content = self.path.read_bytes()
        size = content.rfind(b"\n") + 1
        entries = []
        for number, line in enumerate(content[:size].splitlines(), start=1):
            try:
                entry = json.loads(line)
            except ValueError:
                raise BooksDamaged(str(self.path), number) from None
            if not isinstance(entry, dict):
                raise BooksDamaged(str(self.path), number)
            entries.append(entry)
        return entries, size


def _sync_directory(directory: Path) -> None:
    """Make the file's name as lasting as its content."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
