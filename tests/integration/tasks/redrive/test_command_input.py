"""`manage.py dead_letters` given what it can't use: a line that says so, and nothing is changed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tasks.execution.redrive import RATE_LEAST, redrive_all
from tasks.failure.letter_filters import LetterFilter
from tasks.failure.letter_models import DeadLetter, JobAttempt, Redrive
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead

pytestmark = pytest.mark.django_db(transaction=True)

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b2J\u202egone\r"


def run(*words: str) -> str:
    """What it prints."""
    out = io.StringIO()
    call_command("dead_letters", *words, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["list", "--limit", "-1"], "'-1' is no whole number from 0 to"),
        (["list", "--limit", "9" * 30], "is no whole number from 0 to"),
        (["stats", "--limit", "x"], "'x' is no whole number from 0 to"),
        (["stats", "--most", "-1"], "'-1' is no whole number from 0 to"),
        (["list", "--since", "999999d"], "'999999d' lies before 1970"),
        (["list", "--before", "0001-01-01"], "'0001-01-01' lies before 1970"),
        (["list", "--before", "0001-01-01T00:00+14:00"], "lies before 1970"),
        (["list", "--before", "9999-12-31T23:59-14:00"], "lies after 2999"),
        (["list", "--before", "soon"], "'soon' is neither an age"),
        (["list", "--task", "a\0b"], r"'a\\x00b' holds what no text in the database can"),
        (["show", "\udcff"], r"'\\udcff' holds what no text in the database can"),
        (["show", "9" * 30], "there is no letter"),
        (["redrive", "--all", "--yes", "--rate", "1e-300"], "'1e-300' is no rate"),
        (["redrive", "--all", "--yes", "--rate", "nan"], "'nan' is no rate"),
        (["redrive", "LETTER", "--arguments", "[" * 100_000], "--arguments is no JSON .*: it is nested too deeply"),
        (["redrive", "LETTER", "--arguments", '{"number": ' + "9" * 5000 + "}"], "--arguments is no JSON"),
        (["redrive", "LETTER", "--arguments", '{"number": NaN}'], "NaN is no JSON"),
        (["discard", "LETTER", "--note", "\udcff"], "no text in the database"),
        (["export", "--output", "/nonexistent/x"], "'/nonexistent/x' can't be written: No such file or directory"),
        (["export", "--output", "/"], "'/' can't be written: Is a directory"),
        (["import", "/"], "nothing was imported: .*Is a directory"),
    ],
)
def test_what_it_cannot_use_is_told_and_changes_nothing(words: list[str], problem: str) -> None:
    """No traceback: whoever typed it is to see what was wrong with it."""
    letter = dead(dying.plain, 1)
    with pytest.raises(CommandError, match=problem):
        run(*(str(letter.pk) if word == "LETTER" else word for word in words))

    assert DeadLetter.objects.get().state == "open"
    assert not Redrive.objects.exists()


@pytest.mark.parametrize("rate", [1e-300, 0.0, -1.0, float("nan")])
def test_a_rate_that_no_date_could_keep_is_refused(rate: float) -> None:
    """The last one would be due after the end of all calendars."""
    dead(dying.plain, 1)
    with pytest.raises(ValueError, match=f"rate must be at least {RATE_LEAST}"):
        redrive_all(LetterFilter(), by="ada", rate=rate)


def test_what_a_terminal_would_obey_is_shown_as_text() -> None:
    """An error's message is somebody else's text: it may clear the screen, or write the window's title."""
    letter = dead(dying.plain, 1)
    DeadLetter.objects.update(
        name=f"redrive.plain{ESCAPES}",
        error_message=ESCAPES,
        note=ESCAPES,
        body=f'[[], {{"comment": "{ESCAPES[-6:-1]}"}}, {{}}]',
    )
    JobAttempt.objects.update(error_message=ESCAPES, traceback=f"{ESCAPES}\n\tline", worker=ESCAPES)
    letter.redrives.create(generation=1, asked_by=ESCAPES)

    shown = run("show", str(letter.pk))
    told = (
        shown
        + run("list")
        + run("stats")
        + run("export")
        + run("list", "--json")
        + run("show", "--json", letter.task_id)
    )
    assert not set(told) & set(ESCAPES) - set("]0;owned[2Jgone")
    assert r"\x1b]0;owned\x07\x1b[2J\x9b2J\u202egone\r" in shown
    assert "\n\tline" in shown


def test_why_a_letter_is_refused_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks quote what they were given, too."""
    letter = dead(dying.hooked, 1)

    def refuse(*_: object) -> None:
        raise ValueError(ESCAPES)

    monkeypatch.setattr(dying.hooked, "on_redrive", refuse)
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("dead_letters", "redrive", "--all", "--yes", stdout=out)
    assert r"\x1b]0;owned" in out.getvalue()
    with pytest.raises(CommandError, match=r"\\x1b\]0;owned"):
        run("redrive", str(letter.pk), "--arguments", '{"number": 2}')


@pytest.mark.parametrize("body", ["{}", "no json", "[1, 2, 3]", '[[], {}, {"chain": [1]}]'])
def test_a_letter_whose_body_is_none_is_shown_all_the_same(body: str) -> None:
    """It is looked at because something is wrong with it."""
    letter = dead(dying.plain, 1)
    DeadLetter.objects.update(body=body)

    assert body in run("show", str(letter.pk))
    assert letter.task_id in run("show", str(letter.pk), "--json")


def test_an_export_that_breaks_off_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file in the place of a whole one is a loss."""
    dead(dying.plain, 1)
    file = tmp_path / "letters.jsonl"
    run("export", "--output", str(file))
    before = file.read_text()

    def break_off(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tasks.failure.transfer._out", break_off)
    with pytest.raises(KeyboardInterrupt):
        run("export", "--output", str(file))
    assert file.read_text() == before
    assert list(tmp_path.iterdir()) == [file]


def test_whoever_leaves_at_the_question_has_said_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D ends the input without an answer."""
    dead(dying.plain, 1)
    dead(dying.plain, 2)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(""))
    with pytest.raises(CommandError, match="nothing was changed"):
        run("redrive", "--all")
    assert not Redrive.objects.exists()
