"""What `./run up` shows of the logs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from project.local.child import Child
from project.local.log_view import LogView


@pytest.fixture
def web(tmp_path: Path) -> Child:
    """A process that was never started; only its log matters."""
    return Child(name="web", command="true", environment={}, directory=tmp_path, log=tmp_path / "web.log")


def test_only_whole_lines_that_are_new_are_shown_under_the_process_name(web: Child) -> None:
    """Half a line would be torn by another process's."""
    web.log.write_bytes(b"long ago\n")
    output = io.StringIO()
    view = LogView([web], output)
    with web.log.open("ab") as log:
        log.write(b"first\nsec")
        log.flush()
        view.show()
        log.write(b"ond\n\n\xff\n")
    view.show()
    view.show()
    assert [line.split(" ", 1)[1] for line in output.getvalue().splitlines()] == [
        "web | first",
        "web | second",
        "web | �",
    ]


def test_a_log_that_is_not_there_yet_is_no_error(web: Child) -> None:
    """A process may not have written anything."""
    output = io.StringIO()
    view = LogView([web], output)
    view.show()
    web.log.write_text("now\n")
    view.show()
    assert output.getvalue().endswith("web | now\n")
