"""Edited arguments of tasks whose parameters are many, variable, or no longer what they were when the job died."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from tasks import RetryPolicy, task
from tasks.errors import RedriveRefused
from tasks.execution.redrive import redrive
from tasks.failure.letter_models import DeadLetter, Redrive
from tests.integration.tasks.attempts.delivering import job
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead

pytestmark = pytest.mark.django_db(transaction=True)


@task("redrive.open", time_limit=timedelta(minutes=1), retry=RetryPolicy.never())
def openended(number: int, colour: str = "red", *rest: int, **options: Any) -> Any:
    return dying.act()


@task("redrive.painted", time_limit=timedelta(minutes=1), retry=RetryPolicy.never())
def painted(number: int, colour: str = "red") -> Any:
    return dying.act()


def died_with(args: list[Any], kwargs: dict[str, Any]) -> DeadLetter:
    """The letter of a job that `redrive.painted` took once and takes no longer."""
    letter = dead(painted, 1)
    DeadLetter.objects.update(body=json.dumps([args, kwargs, {}]), reason="wrong_arguments")
    return letter


def sent_arguments(letter: DeadLetter) -> Any:
    args, kwargs, _ = json.loads(job(letter.task_id).body)
    return args, kwargs


def test_what_fits_is_sent_beside_what_is_given() -> None:
    """One argument that the task doesn't take any more must not take the others with it."""
    letter = died_with([], {"number": 1, "colour": "blue", "gone": 9})
    redrive(letter, by="ada", arguments={"number": 2})

    assert sent_arguments(letter) == ([2, "blue"], {})


@pytest.mark.parametrize(
    ("args", "kwargs", "asked"),
    [([1, "blue", 9], {}, "number, colour"), ([1, "blue"], {"colour": "green", "gone": 9}, "colour")],
)
def test_what_cannot_be_told_apart_is_asked_for(args: list[Any], kwargs: dict[str, Any], asked: str) -> None:
    """Of three arguments for two parameters nobody knows which is which; a default would be a guess."""
    letter = died_with(args, kwargs)
    with pytest.raises(RedriveRefused, match=f"give {asked}$"):
        redrive(letter, by="ada", arguments={})
    redrive(letter, by="ada", arguments={"number": 2, "colour": "white"})

    assert sent_arguments(letter) == ([2, "white"], {})


def test_empty_arguments_drop_what_does_not_fit_and_edit_nothing_else() -> None:
    """`{}` is what there is to say when all that is wrong is one argument too many."""
    letter, fitting = died_with([1], {"gone": 9}), dead(painted, 3, colour="blue")
    redrive(letter, by="ada", arguments={})
    redrive(fitting, by="ada", arguments={})

    assert sent_arguments(letter) == ([1], {})
    assert sent_arguments(fitting) == ([3], {"colour": "blue"})
    assert [bool(edited) for edited in Redrive.objects.order_by("pk").values_list("edited_body", flat=True)] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("given", "args", "kwargs"),
    [
        ({"rest": [5, 6]}, [1, "red", 5, 6], {"size": 4}),
        ({"size": 5}, [1], {"size": 5}),
        ({"weight": 7}, [1], {"size": 4, "weight": 7}),
    ],
)
def test_variable_arguments_are_given_by_name(given: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> None:
    """`*rest` as a list, what `**options` takes each by its own name; a default before them is filled in."""
    letter = dead(openended, 1, size=4)
    redrive(letter, by="ada", arguments=given)

    assert sent_arguments(letter) == (args, kwargs)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"rest": 5}, r"rest is what \*rest takes: give a list"),
        ({"options": {"size": 5}}, r"give what is in \*\*options by its own name: size"),
    ],
)
def test_variable_arguments_given_otherwise_are_refused(given: dict[str, Any], reason: str) -> None:
    """They would arrive nested in one another."""
    letter = dead(openended, 1, size=4)
    with pytest.raises(RedriveRefused, match=reason):
        redrive(letter, by="ada", arguments=given)


def as_shown(day: str) -> dict[str, str]:
    """How a letter shows a date."""
    return {"__type__": "date", "__value__": day}


@pytest.mark.parametrize(
    ("given", "day"), [({"number": 2}, "2030-01-02"), ({"day": as_shown("2031-03-04")}, "2031-03-04")]
)
def test_an_argument_that_json_has_no_form_for_is_edited_as_it_is_shown(given: dict[str, Any], day: str) -> None:
    """A date is still one for the task, whether it or another argument was edited."""
    letter = dead(dying.dated, date(2030, 1, 2), 1)
    redrive(letter, by="ada", arguments=given)

    assert sent_arguments(letter)[0] == [as_shown(day), given.get("number", 1)]


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (as_shown("tomorrow"), "day is none of its type: .*isoformat"),
        (nested(40), "nested deeper than 32"),
        (nested(10_000), "day is nested too deep"),
    ],
)
def test_a_value_that_would_not_arrive_is_refused(day: Any, reason: str) -> None:
    """With what is wrong with it."""
    letter = dead(dying.dated, date(2030, 1, 2), 1)
    with pytest.raises(RedriveRefused, match=reason):
        redrive(letter, by="ada", arguments={"day": day})
