"""Bytes in storage, on a real disk and on a real S3 API: written again, they are the same file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from pytest_django import Settings

from apps.images.services.storing import stored_bytes, stored_delete, stored_read, stored_write
from project.local.waiting import wait_until
from project.storage import AtomicFileSystemStorage
from tests.servers.s3 import S3Server

NAME = f"images/{uuid4()}/0123/thumb.webp"

# Writes two halves of a large file and says when it is between them.
HALF_WRITTEN = """
import sys, time
from django.conf import settings
settings.configure()
from django.core.files.base import File
from project.storage import AtomicFileSystemStorage

class Slow(File):
    def chunks(self, chunk_size=None):
        yield b"new" * 100_000
        open(sys.argv[2], "w").close()
        time.sleep(60)

AtomicFileSystemStorage(location=sys.argv[1]).save(sys.argv[3], Slow(None, "slow"))
"""


def written_names(location: Path) -> list[str]:
    return sorted(path.name for path in location.rglob("*") if path.is_file())


@pytest.fixture(params=["files", "s3"])
def storage(request: pytest.FixtureRequest) -> Path | S3Server:
    """The default storage of the settings: a directory, then a bucket."""
    chosen: Path | S3Server = request.getfixturevalue(request.param)
    return chosen


def test_writing_a_name_again_overwrites_it(storage: Path | S3Server) -> None:
    """A job that runs twice must not leave a copy each time."""
    stored_write(name=NAME, content=b"one")
    stored_write(name=NAME, content=b"another")
    assert stored_read(name=NAME) == b"another"
    assert stored_bytes(name=NAME) == 7
    names = storage.names() if isinstance(storage, S3Server) else written_names(storage)
    assert len(names) == 1


def test_what_is_not_there_is_told_apart_from_what_is_empty(storage: Path | S3Server) -> None:
    """The check before publishing depends on it."""
    assert stored_bytes(name=NAME) is None
    with pytest.raises(OSError):
        stored_read(name=NAME)
    stored_write(name=NAME, content=b"")
    assert stored_bytes(name=NAME) == 0
    stored_delete(name=NAME)
    stored_delete(name=NAME)
    assert stored_bytes(name=NAME) is None


def test_a_storage_that_takes_another_name_is_refused(tmp_path: Path, settings: Settings) -> None:
    """Django's default does; each repeated step would then leave a file that no row names."""
    options = {"location": str(tmp_path)}
    plain = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": plain}
    stored_write(name=NAME, content=b"one")
    with pytest.raises(ImproperlyConfigured, match="allow_overwrite"):
        stored_write(name=NAME, content=b"another")
    assert written_names(tmp_path) == ["thumb.webp"]


def test_a_process_killed_while_writing_leaves_the_old_bytes_and_nothing_piles_up(tmp_path: Path) -> None:
    """A half of a new rendition must never be served, nor its remains fill the disk."""
    location, between = tmp_path / "media", tmp_path / "between"
    storage = AtomicFileSystemStorage(location=location)
    storage.save("a/photo", ContentFile(b"old"))
    for _ in range(3):
        command = [sys.executable, "-c", HALF_WRITTEN, str(location), str(between), "a/photo"]
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.getcwd()})  # noqa: PTH109
        assert wait_until(between.exists, within=timedelta(seconds=50))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        between.unlink()
        assert (location / "a/photo").read_bytes() == b"old"
        assert written_names(location) == [".photo.part", "photo"]
    storage.save("a/photo", ContentFile(b"new"))
    assert (location / "a/photo").read_bytes() == b"new"
    assert written_names(location) == ["photo"]


def test_writers_at_once_leave_one_of_their_files_whole(tmp_path: Path) -> None:
    """Two deliveries of one job may write at the same moment."""
    storage = AtomicFileSystemStorage(location=tmp_path)
    contents = [bytes([number]) * 300_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: storage.save("a/photo", ContentFile(content)), contents * 5))
    assert (tmp_path / "a/photo").read_bytes() in contents
    assert written_names(tmp_path) == ["photo"]
