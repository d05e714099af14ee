"""Passwords and keys that are made up at the first start and kept, readable for their owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def secret_kept(directory: Path, name: str) -> str:
    """The secret *name* kept in *directory*; made up when it isn't there yet."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = directory / name
    if not file.exists():
        fresh = directory / f"{name}.new"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:  # noqa: PTH123 -- the mode
            handle.write(secrets.token_urlsafe(24) + "\n")
        fresh.rename(file)
    return file.read_text().strip()
