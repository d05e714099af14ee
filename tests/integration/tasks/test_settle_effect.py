"""`manage.py settle_effect`: a person says what became of an effect that no program can tell of."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tasks.execution.ledger import BY_HAND, Answer, Claim, Done
from tasks.execution.ledgers.postgres import PostgresLedger

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def claim() -> Answer:
    return PostgresLedger().claim("orders:7:charge", fingerprint="", owner="one", lease=HOUR, ttl=HOUR)


@pytest.fixture
def unknown() -> None:
    """A key whose holder vanished."""
    first = claim()
    assert isinstance(first, Claim)
    PostgresLedger().abandon(first)


@pytest.mark.usefixtures("unknown")
def test_what_has_happened_is_answered_from_then_on() -> None:
    answer = StringIO()
    call_command("settle_effect", "orders:7:charge", "happened", "--result", '{"charge": "ch_1"}', stdout=answer)

    assert answer.getvalue() == "settled\n"
    assert claim() == Done(result={"charge": "ch_1"}, owner=BY_HAND)


@pytest.mark.usefixtures("unknown")
def test_what_has_not_happened_may_be_brought_about() -> None:
    call_command("settle_effect", "orders:7:charge", "not-happened", stdout=StringIO())

    answer = claim()
    assert isinstance(answer, Claim)
    assert not answer.unknown


def test_what_is_being_worked_on_is_not_for_others_to_settle() -> None:
    claim()
    with pytest.raises(CommandError, match="nothing to settle under 'orders:7:charge'"):
        call_command("settle_effect", "orders:7:charge", "happened")


@pytest.mark.usefixtures("unknown")
@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ("ch_1", "--result is no JSON"),
        ("[" * 100_000, "--result is no JSON that can be kept: it is nested too deeply"),
        ("9" * 5_000, "--result is no JSON"),
        ("NaN", "--result is no JSON: NaN is no JSON"),
    ],
)
def test_a_result_that_is_no_json_is_refused(result: str, problem: str) -> None:
    """And nothing is settled."""
    with pytest.raises(CommandError, match=problem):
        call_command("settle_effect", "orders:7:charge", "happened", "--result", result)
    answer = claim()
    assert isinstance(answer, Claim)
    assert answer.unknown


@pytest.mark.usefixtures("unknown")
def test_a_result_may_hold_what_json_can() -> None:
    """It is kept as text, so a NUL and half a character are as good as any."""
    call_command("settle_effect", "orders:7:charge", "happened", "--result", r'["\u0000", "\ud800"]', stdout=StringIO())

    assert claim() == Done(result=["\0", "\ud800"], owner=BY_HAND)


def test_a_result_of_what_has_not_happened_is_refused() -> None:
    """Whoever gives one means something else."""
    with pytest.raises(CommandError, match="--result is of what has happened"):
        call_command("settle_effect", "orders:7:charge", "not-happened", "--result", "1")


@pytest.mark.parametrize("key", ["a\0b", "\udcff"])
def test_a_key_that_no_text_can_hold_is_refused(key: str) -> None:
    with pytest.raises(CommandError, match="no text in the database"):
        call_command("settle_effect", key, "happened")
