"""Every error of the toolkit and the domains: it survives pickle and a copy, and keeps its sentence."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
import types
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest

import apps
import config
import project
import tasks

SAMPLES: dict[Any, Any] = {
    str: "charge_paymnt",
    int: 3,
    float: 1.5,
    bool: True,
    object: "an object",
    Any: "anything",
    Path: Path("var/log"),
    date: date(2024, 2, 29),
    datetime: datetime(2024, 2, 29, tzinfo=UTC),
    timedelta: timedelta(seconds=5),
    Decimal: Decimal("1.50"),
    UUID: UUID(int=7),
}
SKIPPED_MODULES = (
    "project.settings.production",  # settings are one module at a time
    "project.settings.local",
    "project.local",  # its errors are shown to a person and never leave the process
    "tasks.testing",  # needs pytest's machinery; its errors are a test's
)


def modules() -> Iterator[types.ModuleType]:
    for package in (tasks, apps, config, project):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.startswith(SKIPPED_MODULES) and "__main__" not in found.name:
                yield importlib.import_module(found.name)


def public_errors() -> list[type[Exception]]:
    """Every exception class that a module of ours defines in public."""
    return sorted(
        {
            value
            for module in modules()
            for name, value in vars(module).items()
            if inspect.isclass(value)
            and issubclass(value, Exception)
            and value.__module__ == module.__name__
            and not name.startswith("_")
        },
        key=lambda error: f"{error.__module__}.{error.__qualname__}",
    )


def sample(annotation: Any) -> Any:
    """A value that fits *annotation*."""
    if annotation in SAMPLES:
        return SAMPLES[annotation]
    if get_origin(annotation) is dict:
        return {sample(get_args(annotation)[0]): sample(get_args(annotation)[1])}
    if get_origin(annotation) is tuple:
        return (sample(get_args(annotation)[0]),)
    if get_origin(annotation) in (list, set, frozenset):
        return get_origin(annotation)([sample(get_args(annotation)[0])])
    if get_origin(annotation) is types.UnionType:
        return sample(next(kind for kind in get_args(annotation) if kind is not types.NoneType))
    raise AssertionError(f"no sample for {annotation!r}: an error's facts are plain values")


def example_of(kind: type[Exception]) -> Exception:
    """An error of *kind*, made of facts that fit its annotations."""
    if "__init__" not in vars(kind):
        return kind("charge_paymnt", 3)
    hints = get_type_hints(kind.__init__)
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return kind(*(sample(hints[parameter.name]) for parameter in parameters))


def test_the_walk_finds_errors_of_the_toolkit_and_of_the_domains() -> None:
    """Guards the tests below: a walk that finds nothing passes everything."""
    names = {f"{error.__module__}.{error.__name__}" for error in public_errors()}

    assert {"tasks.errors.PayloadRefused", "apps.orders.errors.OutOfStock"} <= names


def test_an_error_survives_pickle_and_copy_with_its_facts_and_sentence(subtests: pytest.Subtests) -> None:
    """A worker's child hands errors to its parent by pickle: one that doesn't survive that kills the job's report."""
    for kind in public_errors():
        with subtests.test(f"{kind.__module__}.{kind.__name__}"):
            error = example_of(kind)
            for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 -- our own bytes
                assert type(again) is kind
                assert str(again) == str(error)
                assert again.args == error.args
                assert vars(again) == vars(error)


def test_an_error_keeps_its_facts_apart_from_its_sentence(subtests: pytest.Subtests) -> None:
    """Facts in `args` can be counted, shown and compared; a sentence there can only be read."""
    for kind in public_errors():
        with subtests.test(f"{kind.__module__}.{kind.__name__}"):
            error = example_of(kind)
            assert kind.__doc__, "say when it is raised"
            if "__init__" in vars(kind) and kind is not tasks.Transient:  # the words of that are its raiser's
                assert "__str__" in vars(kind), "the sentence belongs in __str__"
                assert str(error) not in error.args
