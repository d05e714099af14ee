"""Other arguments for a redriven job: checked as a call's would be, the original kept, secrets kept from sight."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.errors import RedriveRefused
from tasks.execution.redrive import redrive
from tasks.failure.letter_models import DeadLetter, Redrive
from tests.integration.tasks.attempts.delivering import job
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead, delivered, sent

pytestmark = pytest.mark.django_db(transaction=True)


def sent_arguments(letter: DeadLetter) -> Any:
    args, kwargs, _ = json.loads(job(letter.task_id).body)
    return args, kwargs


def test_what_is_given_takes_the_place_of_its_own_and_the_rest_stays() -> None:
    """By parameter name, however the job was called. The letter still says what it died of."""
    letter = dead(dying.plain, 1, comment="as it was")
    redrive(letter, by="ada", arguments={"number": 2})

    assert sent_arguments(letter) == ([2, "as it was"], {})
    assert json.loads(DeadLetter.objects.get().body)[:2] == [[1], {"comment": "as it was"}]
    assert json.loads(Redrive.objects.get().edited_body)[:2] == [[2, "as it was"], {}]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"nummer": 2}, "the task has no parameter 'nummer', did you mean 'number'"),
        ({"number": float("inf")}, "is inf, which JSON doesn't have"),
        ({"comment": "[redacted] and more"}, "holds a value that is blacked out"),
    ],
)
def test_what_the_task_does_not_take_is_refused(arguments: dict[str, Any], reason: str) -> None:
    """It would die of that next."""
    letter = dead(dying.plain, 1)
    with pytest.raises(RedriveRefused, match=reason):
        redrive(letter, by="ada", arguments=arguments)


def test_arguments_that_were_wrong_are_put_right() -> None:
    """What doesn't fit the signature is dropped; what is missing is asked for."""
    letter = dead(dying.plain, 1)
    DeadLetter.objects.update(body='[[], {"nmber": 1}, {}]')
    with pytest.raises(RedriveRefused, match="the task doesn't take its arguments"):
        redrive(letter, by="ada", arguments={"comment": "x"})
    redrive(letter, by="ada", arguments={"number": 1})

    assert sent_arguments(letter) == ([1], {})


def test_a_secret_that_nobody_sees_is_sent_all_the_same() -> None:
    """The letter shows that there is one; its sealed original has it; the redrive's record shows none either."""
    letter = dead(dying.secretive, "4242 4242 4242 4242", 5)
    assert "4242" not in letter.body
    redrive(letter, by="ada", arguments={"card": "[redacted]", "amount": 6})
    delivered(sent(letter.task_id))

    assert dying.in_body["seen"]() == ("4242 4242 4242 4242", 6)
    assert "4242" not in Redrive.objects.get().edited_body
    assert "4242" not in json.dumps(job(letter.task_id).headers)
