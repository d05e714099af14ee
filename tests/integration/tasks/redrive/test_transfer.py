"""Letters as JSON lines: out, and in again, with nothing lost on the way."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tasks.enqueue.models import OutboxMessage
from tasks.execution.redrive import redrive
from tasks.failure.letter_filters import LetterFilter
from tasks.failure.letter_models import DeadLetter, JobAttempt, Redrive
from tasks.failure.transfer import LINE_MAX, LineRefused, letters_export, letters_import, lines_of
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead, delivered, died, sent

pytestmark = pytest.mark.django_db(transaction=True)

ANY = LetterFilter(state="")

UNREADABLE = [
    ("no json", r"its body can't be read \(JSONDecodeError\)"),
    ("[" * 100_000, r"its body can't be read \(RecursionError\)"),
    ("{}", "its body is no list"),
    ("[1, 2, 3]", "its arguments are no list"),
    ("[[], {}, 3]", "what is to follow it is no mapping"),
    ('[[], {}, {"chain": ["link"]}]', "its chain are no list of signatures"),
    ('[[{"__type__": "date", "__value__": 1}], {}, {}]', r"its body can't be read \(TypeError\)"),
]
"""Bodies that are no task's, and what is said of them."""


def everything() -> list[Any]:
    """All that is known of letters, but for the rows' own numbers."""
    found: list[Any] = []
    for model in (DeadLetter, JobAttempt, Redrive):
        for row in model.objects.order_by("pk"):
            fields = [field.attname for field in model._meta.concrete_fields]
            found.append({name: plain(getattr(row, name)) for name in fields if name not in ("id", "letter_id")})
    return found


def plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def forget() -> None:
    for model in (Redrive, JobAttempt, DeadLetter, OutboxMessage):
        model.objects.all().delete()


def changed(line: str, **fields: Any) -> str:
    """The line with other *fields* of its letter."""
    read = json.loads(line)
    return json.dumps({**read, "letter": {**read["letter"], **fields}})


def test_what_goes_out_comes_in_again_the_same_and_can_be_redriven() -> None:
    """Sealed secrets, raw bytes, attempts and redrives included."""
    letter = dead(dying.secretive, "4242 4242", 5)
    redrive(letter, by="ada")
    died(letter.task_id)
    dead(dying.plain, 1)
    DeadLetter.objects.filter(name="redrive.plain").update(raw=b"\x00\xff", body="")
    before, lines = everything(), list(letters_export(ANY))
    assert "4242" not in "".join(lines)
    forget()

    done = letters_import(lines)
    assert (done.count, done.there) == (2, [])
    assert everything() == before
    redrive(DeadLetter.objects.get(name="redrive.secretive"), by="bob")
    delivered(sent(letter.task_id))
    assert dying.in_body["seen"]() == ("4242 4242", 5)


def test_what_is_there_already_is_left_as_it_is() -> None:
    """Importing a file twice is importing it once."""
    letter = dead(dying.plain, 1)
    lines = list(letters_export(ANY))
    DeadLetter.objects.update(note="looked at")

    assert letters_import([*lines, ""]).there == [letter.task_id]
    assert DeadLetter.objects.get().note == "looked at"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda line: "{", "line 2: is no letter: JSONDecodeError"),
        (lambda line: "[]", "line 2: is no letter of format 1"),
        (lambda line: json.dumps({**json.loads(line), "format": 2}), "line 2: is no letter of format 1"),
        (lambda line: line.replace('"reason": "permanent"', '"reason": "boredom"'), "line 2: .*boredom"),
        (lambda line: line.replace('"deaths"', '"births"'), r"line 2: .*unknown fields \['births'\]"),
        (lambda line: line.replace('"attempts"', '"trials"'), "line 2: is no letter: KeyError"),
        (lambda line: line.replace('"sealed": null', '"sealed": "?"'), "line 2: is no letter"),
        (lambda line: changed(line, headers="text"), "line 2: can't be redriven: its headers are no mapping"),
        (lambda line: changed(line, properties=[1]), "line 2: can't be redriven: its properties are no mapping"),
        (lambda line: changed(line, raw="AA==", body="", headers=[1]), "line 2: .* headers are no mapping"),
        *((lambda line, body=body: changed(line, body=body), f"line 2: .*{flaw}") for body, flaw in UNREADABLE),
    ],
)
def test_a_line_that_is_no_letter_is_named_and_nothing_is_imported(change: Any, problem: str) -> None:
    """All or none: half a file is worse than an error."""
    dead(dying.plain, 1)
    dead(dying.plain, 2)
    first, second = letters_export(ANY)
    forget()

    with pytest.raises(LineRefused, match=problem):
        letters_import([first, change(second)])
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize(
    ("room", "change", "problem"),
    [
        ("letter", {"note": "a\0b"}, "line 2: .*NUL"),
        ("letter", {"headers": {"x": "\0"}}, r"line 2: .*\\u0000"),
        ("letter", {"task_id": "a\0b"}, "line 2: .*NUL"),
        ("letter", {"note": "\ud800"}, "line 2: .*surrogates"),
        ("letter", {"last_seen_at": "0001-01-01T00:00+14:00"}, "line 2: .*last_seen_at lies before 1970 or after 2999"),
        ("letter", {"last_seen_at": "2026-01-01T00:00"}, "line 2: .*last_seen_at says no time zone"),
        ("letter", {"deaths": -1}, "line 2: deaths: "),
        ("attempts", {"outcome": "much too long"}, "line 2: outcome: "),
        ("attempts", {"worker": None}, "line 2: .*worker can't be null"),
        ("attempts", {"retries": -1}, "line 2: retries: "),
        ("attempts", {"traceback": "a\0b"}, "line 2: .*NUL"),
        ("redrives", {"asked_by": "x" * 151}, "line 2: asked_by: "),
        ("redrives", {"asked_at": None}, "line 2: .*asked_at can't be null"),
        ("redrives", {}, "line 2: .*twice"),
    ],
)
def test_what_the_database_could_not_hold_is_refused_by_its_line(
    room: str, change: dict[str, Any], problem: str
) -> None:
    """Whatever part of the letter it is in, and before the list of letters could stumble over it."""
    letters = [dead(dying.plain, 1), dead(dying.plain, 2)]
    redrive(letters[1], by="ada")
    first, second = letters_export(ANY)
    forget()
    line = json.loads(second)
    if room == "letter":
        line["letter"] |= change
    else:
        line[room].append({**line[room][0], **change, "generation": line[room][0]["generation"] + bool(change)})

    with pytest.raises(LineRefused, match=problem):
        letters_import([first, json.dumps(line)])
    assert everything() == []


def test_a_line_nested_too_deeply_is_refused() -> None:
    """Python reads no deeper than its stack."""
    with pytest.raises(LineRefused, match="line 1: is no letter: it is nested too deeply"):
        letters_import(["[" * 100_000])


def test_lines_are_read_no_further_than_a_line_may_go() -> None:
    """A file of one endless line must not fill the memory; what is no text is told by its line."""
    read: list[int] = []

    class Counted(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            read.append(size or -1)
            return super().readline(size)

    assert list(lines_of(Counted("ä\r\nb".encode()))) == ["ä\r\n", "b"]
    assert set(read) == {LINE_MAX + 1}
    with pytest.raises(LineRefused, match="line 2: is no UTF-8"):
        list(lines_of(Counted(b"a\n\xff\n")))


def test_a_line_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much of it there is."""
    monkeypatch.setattr("tasks.failure.transfer.LINE_MAX", 10)
    with pytest.raises(LineRefused, match="line 1: is longer than 10 bytes"):
        letters_import(lines_of(io.BytesIO(b"x" * 11)))


def test_a_dry_run_imports_nothing() -> None:
    """It only says how many there would be."""
    dead(dying.plain, 1)
    lines = list(letters_export(ANY))
    forget()

    assert letters_import(lines, dry_run=True).count == 1
    assert not DeadLetter.objects.exists()
