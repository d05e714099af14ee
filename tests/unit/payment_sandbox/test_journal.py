"""The books' file, cut off anywhere and damaged. (Files in a temporary directory are the whole of its I/O.)"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from project.local.payment_sandbox.journal import BooksDamaged, BooksInUse, Journal

ENTRIES = [{"number": number, "text": "ä\n\r\u2028" * number} for number in range(5)]


def written(path: Path) -> bytes:
    journal = Journal(path)
    for entry in ENTRIES:
        journal.append(entry)
    journal.close()
    return path.read_bytes()


def test_what_was_appended_is_read_again(tmp_path: Path) -> None:
    """In its order, over a restart, in a directory that is made."""
    path = tmp_path / "var" / "books.jsonl"
    assert len(written(path).splitlines()) == len(ENTRIES)
    journal = Journal(path)
    assert journal.entries == ENTRIES
    journal.close()


@settings(deadline=None)
@given(st.integers(min_value=0))
def test_a_file_cut_off_anywhere_holds_the_entries_that_are_whole(length: int) -> None:
    """A killed process leaves any beginning of its last write; the next entry must not be glued to it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "books.jsonl"
        whole = written(path)
        kept = whole[: length % (len(whole) + 1)]
        path.write_bytes(kept)
        journal = Journal(path)
        assert journal.entries == ENTRIES[: kept.count(b"\n")]
        journal.append({"number": "next"})
        journal.close()
        again = Journal(path)
        assert again.entries == [*journal.entries, {"number": "next"}]
        again.close()


@pytest.mark.parametrize("damage", [b"\n", b"[]\n", b"{\n", b"\x00\x00\n"])
def test_a_line_that_is_no_entry_is_damage(tmp_path: Path, damage: bytes) -> None:
    """It is said which line; nothing is left out in silence."""
    path = tmp_path / "books.jsonl"
    path.write_bytes(written(path) + damage)
    with pytest.raises(BooksDamaged, match=f"line {len(ENTRIES) + 1} of .*books.jsonl"):
        Journal(path)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """And let in once the first is gone."""
    path = tmp_path / "books.jsonl"
    first = Journal(path)
    with pytest.raises(BooksInUse, match="another payment sandbox"):
        Journal(path)
    first.close()
    Journal(path).close()


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line in the middle of the file would be damage at the next start."""
    path = tmp_path / "books.jsonl"
    whole = written(path)
    journal = Journal(path)

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space left"):
            journal.append({"number": "lost"})
    assert path.read_bytes() == whole
    journal.append({"number": "kept"})
    journal.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        journal.append({"number": "too late"})
    assert path.read_bytes().startswith(whole)
