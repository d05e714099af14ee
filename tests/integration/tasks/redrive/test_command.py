"""`manage.py dead_letters`: what it prints, what it does, and the codes it ends with."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tasks.enqueue.models import OutboxMessage
from tasks.failure.letter_models import DeadLetter, Redrive
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead

pytestmark = pytest.mark.django_db(transaction=True)


def run(*words: str) -> str:
    """What it prints."""
    out = io.StringIO()
    call_command("dead_letters", *words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def code_of(*words: str) -> tuple[int | str | None, str]:
    """The code that it ends with when it isn't 0, and what it prints."""
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("dead_letters", *words, stdout=out)
    return ended.value.code, out.getvalue()


def test_list_shows_open_letters_the_latest_first() -> None:
    """One line each, and as JSON lines for scripts."""
    first, second = dead(dying.plain, 1), dead(dying.hooked, 2)
    DeadLetter.objects.filter(pk=first.pk).update(state="discarded")
    third = dead(dying.plain, 3)

    lines = run("list").splitlines()
    assert [line.split()[0] for line in lines] == ["ID", str(third.pk), str(second.pk)]
    assert "Permanent: no" in lines[1]
    assert [json.loads(line)["id"] for line in run("list", "--json", "--task", "redrive.hooked").splitlines()] == [
        second.pk
    ]
    assert len(run("list", "--state", "any", "--limit", "2").splitlines()) == 3


def test_show_tells_all_of_one_by_its_number_or_its_task_id() -> None:
    """With each attempt's traceback, and what would go on after it."""
    letter = dying.dead_in_chain(1)
    told = run("show", letter.task_id)

    assert "raise Permanent" in told
    assert "redrive.follow" in told
    shown = run_json("show", str(letter.pk))
    assert (shown["task_id"], len(shown["attempts"]), shown["redrives"]) == (letter.task_id, 1, [])
    with pytest.raises(CommandError, match="there is no letter 'nonsense'"):
        run("show", "nonsense")


def test_redrive_sends_what_is_named_at_a_rate() -> None:
    """By task id, by number, or by what they have in common."""
    first, second = dead(dying.plain, 1), dead(dying.plain, 2)
    assert run_json("redrive", first.task_id, "--dry-run") == {
        "redriven": 1, "refused": 0, "reasons": {}, "dry_run": True,
    }  # fmt: skip
    assert not Redrive.objects.exists()
    assert "redriven 1; 0 could not be" in run("redrive", str(second.pk))
    run("redrive", "--task", "redrive.plain", "--rate", "0.1", "--yes")

    assert set(DeadLetter.objects.values_list("state", flat=True)) == {"redriven"}
    assert all("(command line)" in by for by in Redrive.objects.values_list("asked_by", flat=True))


def test_redrive_ends_with_3_when_some_could_not_be() -> None:
    """The others are on their way; each reason is told."""
    dead(dying.plain, 1)
    refused = dead(dying.hooked, -1)

    code, told = code_of("redrive", "--all", "--yes")
    assert code == 3
    assert "redriven 1; 1 could not be" in told
    assert f"{refused.task_id}: ValueError: nothing left to take up" in told


def test_a_letter_that_is_named_and_not_redriven_is_told_of() -> None:
    """Whoever names one wants it redriven; that it is already is a reason, not a success."""
    first, second = dead(dying.plain, 1), dead(dying.plain, 2)
    run("redrive", str(first.pk))

    code, told = code_of("redrive", str(first.pk))
    assert (code, told.splitlines()) == (3, ["redriven 0; 1 could not be", f"  {first.task_id}: it is redriven"])
    code, told = code_of("redrive", first.task_id, second.task_id, "--yes", "--json")
    assert json.loads(told)["redriven"] == 1
    assert json.loads(told)["reasons"] == {first.task_id: "it is redriven"}
    assert "redriven 0; 0 could not be" in run("redrive", "--task", "redrive.plain")


@pytest.mark.parametrize(
    ("command", "narrowed"),
    [
        ("list", "--state open"),
        ("redrive", "--task redrive.plain"),
        ("redrive", "--all"),
        ("discard --note x", "--since 2h"),
        ("export", "--state any"),
        ("stats", "--reason permanent"),
    ],
)
def test_a_letter_is_named_or_narrowed_down_to_and_not_both(command: str, narrowed: str) -> None:
    """Which of the two was meant nobody can tell: that it fits, or that it goes whatever it is."""
    letter = dead(dying.plain, 1)
    with pytest.raises(
        CommandError, match=rf"{letter.pk} names a letter, and {narrowed.split(maxsplit=1)[0]} letters by"
    ):
        run(*command.split(), str(letter.pk), *narrowed.split())
    assert DeadLetter.objects.get().state == "open"


def test_redrive_with_other_arguments_takes_one_letter_and_checks_them() -> None:
    """A mistake is told and changes nothing."""
    letter, other = dead(dying.plain, 1), dead(dying.plain, 2)
    for words, problem in [
        (["--all", "--arguments", "{}"], "for one letter"),
        ([letter.task_id, other.task_id, "--arguments", '{"number": 2}'], "for one letter"),
        ([letter.task_id, "--arguments", '{"number": 2}', "--task", "redrive.hooked"], "give one of both"),
        ([letter.task_id, "--arguments", "{"], "no JSON"),
        ([letter.task_id, "--arguments", "[2]"], "must be an object"),
        ([letter.task_id, "--arguments", '{"nummer": 2}'], "did you mean 'number'"),
    ]:
        with pytest.raises(CommandError, match=problem):
            run("redrive", *words)
    run("redrive", letter.task_id, "--arguments", '{"number": 2}')

    assert json.loads(OutboxMessage.objects.get(finished_at=None).body)[0] == [2]


def test_what_would_touch_many_must_be_meant() -> None:
    """Neither everything by forgetting a filter, nor many without being asked."""
    dead(dying.plain, 1)
    dead(dying.plain, 2)
    for words, problem in [
        (["redrive"], "say which letters to redrive"),
        (["discard", "--note", "x"], "say which letters to discard"),
        (["redrive", "--all"], "that is 2 letters, and nobody is here to be asked: say --yes"),
    ]:
        with pytest.raises(CommandError, match=problem):
            run(*words)
    assert not Redrive.objects.exists()


def test_discard_closes_with_the_reason() -> None:
    """And only what is open."""
    dead(dying.plain, 1)
    assert run_json("discard", "--task", "redrive.plain", "--note", "not worth it") == {
        "discarded": 1, "dry_run": False,
    }  # fmt: skip

    assert DeadLetter.objects.get().note == "not worth it"
    assert run("discard", "--all", "--note", "again").strip() == "discarded 0"


def test_export_and_import_carry_them_over(tmp_path: Path) -> None:
    """To a file, from a file; a broken one is refused as a whole."""
    dead(dying.plain, 1)
    file = tmp_path / "letters.jsonl"
    run("export", "--output", str(file))
    assert run("export").strip() == file.read_text().strip()
    DeadLetter.objects.all().delete()

    assert run("import", str(file)).strip() == "imported 1; 0 were there already"
    assert run("import", str(file)).strip() == "imported 0; 1 were there already"
    file.write_text("nonsense")
    with pytest.raises(CommandError, match="nothing was imported: line 1"):
        run("import", str(file))
    with pytest.raises(CommandError, match=r"nothing was imported: .*No such file"):
        run("import", str(tmp_path / "missing"))


def test_stats_counts_by_cause_and_tells_a_script_when_there_are_too_many() -> None:
    """The same cause is one line, whatever the arguments were."""
    for number in range(3):
        dead(dying.plain, number)
    told = run_json("stats")
    assert told["states"]["open"] == 3
    assert [(group["count"], group["task"]) for group in told["groups"]] == [(3, "redrive.plain")]
    assert sum(told["groups"][0]["arrivals_by_hour"]) == 3
    assert "█" in run("stats")

    assert run("stats", "--most", "3")
    assert code_of("stats", "--most", "2")[0] == 4


def test_stats_counts_what_is_asked_for_alone() -> None:
    """An alert on one task must not be raised by another; which state is asked for is of the causes alone."""
    first = dead(dying.plain, 1)
    dead(dying.hooked, 1)
    DeadLetter.objects.filter(pk=first.pk).update(state="discarded")
    counts = {"open": 0, "redriven": 0, "resolved": 0, "discarded": 1}

    assert run_json("stats", "--task", "redrive.plain", "--most", "0")["states"] == counts
    assert run_json("stats", "--task", "redrive.plain", "--state", "discarded", "--most", "0")["states"] == counts
    assert code_of("stats", "--task", "redrive.hooked", "--most", "0")[0] == 4
