"""The options of `@task`: ours, Celery's, the refused, and the misspelt."""

from __future__ import annotations

import inspect
from datetime import timedelta

import pytest
from celery import Celery
from celery.app import task as celery_task
from celery.app.task import Task

from tasks.errors import InvalidDeclaration, RefusedOption, UnknownOption
from tasks.options import CELERY, EFFECT_OPTIONS, LETTER_OPTIONS, OWN, REFUSED, check_limits, check_name, check_options

HOOKS = ("before_", "after_", "on_")

# What Celery's Task has in public that isn't for the declaring line, each with its reason.
NOT_OPTIONS = {
    "MaxRetriesExceededError": "an error class, there to be caught",
    "OperationalError": "an error class, there to be caught",
    "abstract": "says of a base class that it is no task",
    "app": "set by the app that registers the task",
    "from_config": "Celery's own list of attributes that settings fill",
    "on_bound": "called while the app binds the task, before options count",
    "request": "the running job",
    "request_stack": "the running jobs",
    "immediate": "an AMQP flag that Celery calls deprecated",
    "mandatory": "an AMQP flag that Celery calls deprecated",
    "run": "the task's body, which is the decorated function",
}


def options_of_celery() -> set[str]:
    """Every option that the installed Celery takes on a task, read off Celery itself."""
    attributes = {name: value for name, value in vars(Task).items() if not name.startswith("_")}
    values = {name for name, value in attributes.items() if not inspect.isroutine(value)}
    hooks = {name for name in attributes if name.startswith(HOOKS)} | {"shadow_name"}
    parameters = {
        name
        for name, parameter in inspect.signature(Celery._task_from_fun).parameters.items()
        if name not in {"self", "fun"} and parameter.kind is not parameter.VAR_KEYWORD
    }
    from_settings = {name for name, _ in Task.from_config}
    return values | hooks | parameters | from_settings | execution_options()


def execution_options() -> set[str]:
    """The attributes that a task lends to each of its calls."""
    asked: set[str] = set()

    class Asked:
        def __getattr__(self, name: str) -> None:
            asked.add(name)

    vars(celery_task)["extract_exec_options"](Asked())
    return asked


def test_the_known_options_are_those_that_the_installed_celery_takes() -> None:
    """An option that a new Celery adds, renames or drops shows here, not as a refused or ignored declaration."""
    ours = {"retry", "retry_on", "unique", "budget"} | EFFECT_OPTIONS | LETTER_OPTIONS
    known = (OWN | CELERY | REFUSED.keys()) - ours
    autoretry = {name for name in REFUSED if "autoretry" in name or name.startswith("retry_")}

    assert known - autoretry == options_of_celery() - NOT_OPTIONS.keys()


def test_the_options_of_autoretry_are_those_that_the_installed_celery_reads() -> None:
    """They are attributes that Celery looks for without declaring them, so they are read off its source."""
    from celery.app import autoretry

    source = inspect.getsource(autoretry.add_autoretry_behaviour)
    read = {name for name in REFUSED if f"'{name}'" in source}

    assert read == {name for name in REFUSED if "autoretry" in name or name.startswith("retry_")}
    assert source.count("options.get(") == len(read)


def test_no_option_is_both_taken_and_refused() -> None:
    """Three lists that overlap would make the answer depend on the order in which they are asked."""
    assert not OWN & CELERY
    assert not (OWN | CELERY) & REFUSED.keys()


def test_the_derivation_reads_what_a_task_lends_to_its_calls() -> None:
    """Guards the test above: a derivation that finds nothing agrees with everything."""
    assert {"queue", "priority", "compression"} <= execution_options()


@pytest.mark.parametrize("option", sorted(CELERY))
def test_an_option_of_celerys_passes(option: str) -> None:
    """The toolkit adds to Celery and takes nothing away without saying so."""
    check_options("shop.sell", [option])


@pytest.mark.parametrize("option", sorted(REFUSED))
def test_a_refused_option_says_what_to_write_instead(option: str) -> None:
    """A refusal without the better place sends people to the source."""
    with pytest.raises(RefusedOption) as refused:
        check_options("shop.sell", [option])

    assert str(refused.value) == f"task 'shop.sell': option {option!r} is refused; {REFUSED[option]}"


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("max_retires", "max_retries"),
        ("ack_late", "acks_late"),
        ("time_limits", "time_limit"),
        ("retries_on", "retry_on"),
    ],
)
def test_a_misspelt_option_names_the_one_that_was_meant(misspelt: str, meant: str) -> None:
    """Celery takes it in silence, and the task then runs without what it was told."""
    with pytest.raises(UnknownOption) as unknown:
        check_options("shop.sell", [misspelt])

    assert str(unknown.value) == f"task 'shop.sell': unknown option {misspelt!r}, did you mean {meant!r}?"


def test_an_option_like_no_other_gets_no_suggestion() -> None:
    """A far-fetched suggestion misleads."""
    with pytest.raises(UnknownOption) as unknown:
        check_options("shop.sell", ["zzzz"])

    assert str(unknown.value) == "task 'shop.sell': unknown option 'zzzz'"


@pytest.mark.parametrize("name", ["orders.charge_payment", "a.b", "shop2.sell_2", "shop.eu.sell"])
def test_a_wire_name_is_a_domain_and_a_verb(name: str) -> None:
    """The form that routes and dashboards are written for."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "charge", "Orders.charge", "orders.", ".charge", "orders..charge", "orders.1", "orders.charge\n", None, 3],
)
def test_any_other_name_is_refused(name: object) -> None:
    """A name made from the module's path changes when the module moves, and its messages are lost."""
    with pytest.raises(InvalidDeclaration, match="a wire name is required"):
        check_name(name)


def test_the_soft_limit_is_nine_tenths_of_the_hard_one_unless_given() -> None:
    """The job is asked to stop before it is killed."""
    assert check_limits("shop.sell", timedelta(seconds=60), None) == (60.0, 54.0)
    assert check_limits("shop.sell", timedelta(minutes=1), timedelta(milliseconds=500)) == (60.0, 0.5)


@pytest.mark.parametrize("hard", [None, 60, 60.0, timedelta(0), timedelta(seconds=-1)])
def test_a_task_without_a_time_limit_is_refused(hard: object) -> None:
    """A job without a limit holds its worker for ever; a bare number doesn't say its unit."""
    with pytest.raises(InvalidDeclaration, match="a time limit is required"):
        check_limits("shop.sell", hard, None)


@pytest.mark.parametrize("soft", [30, timedelta(0), timedelta(seconds=60), timedelta(seconds=61)])
def test_a_soft_limit_that_never_comes_first_is_refused(soft: object) -> None:
    """At or past the hard limit it would never be raised."""
    with pytest.raises(InvalidDeclaration, match="soft_time_limit must be a timedelta below time_limit"):
        check_limits("shop.sell", timedelta(seconds=60), soft)
