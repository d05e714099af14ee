"""What of a message's arguments a task takes, by the names of its parameters. Pure.

A message may be older than the task's signature, which may be why its job died. What can't be told for certain is said
to be so, never guessed: of three arguments for two parameters nobody knows which one is no longer wanted.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Any, Final

_BY_POSITION: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class UnfitArgument(ValueError):
    """An argument can't be given as it was: why."""


@dataclass(slots=True)
class Fitted:
    """Arguments by the parameters that take them.

    values: by name; those of `*rest` under its name, as a list. options: what `**options` takes.
    foreign: by name, what the task doesn't take. untold: parameters whose argument can't be told from others.
    """

    signature: inspect.Signature
    values: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    foreign: dict[str, Any] = field(default_factory=dict)
    untold: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether the task takes all of them as they came."""
        return not (self.foreign or self.untold)

    def by_name(self) -> dict[str, Any]:
        """All that can be told, each under the name by which `give` takes it."""
        others = {**self.options, **self.foreign}
        return {**self.values, **{name: value for name, value in others.items() if name not in self.values}}

    def give(self, name: str, value: Any) -> None:
        """Put *value* in the place of the argument *name*, or beside the others. Raises UnfitArgument."""
        rest, options = self._variable(Parameter.VAR_POSITIONAL), self._variable(Parameter.VAR_KEYWORD)
        if name == rest and not isinstance(value, list):
            raise UnfitArgument(f"{name} is what *{name} takes: give a list")
        if name in self.signature.parameters and name != options:
            self.values[name] = value
            self.untold = [other for other in self.untold if other != name]
        elif not options:
            raise UnfitArgument(f"the task has no parameter {name!r}")
        elif name == options and name not in self.options and isinstance(value, Mapping):
            raise UnfitArgument(f"give what is in **{name} by its own name: {', '.join(map(str, value)) or 'nothing'}")
        else:
            self.options[name] = value

    def call(self) -> tuple[list[Any], dict[str, Any]]:
        """The arguments as a call has them: by position as far as that goes."""
        rest = self._variable(Parameter.VAR_POSITIONAL)
        bound = self.signature.bind_partial()
        for name, parameter in self.signature.parameters.items():
            if name == rest:
                if self.values.get(rest):
                    bound.arguments[name] = tuple(self.values[rest])
            elif name in self.values:
                bound.arguments[name] = self.values[name]
            elif self.values.get(rest) and parameter.kind in _BY_POSITION:
                if parameter.default is Parameter.empty:
                    raise UnfitArgument(f"what *{rest} takes comes after {name}: give {name}")
                bound.arguments[name] = parameter.default
        return list(bound.args), {**bound.kwargs, **self.options}

    def _variable(self, kind: Any) -> str:
        return next((name for name, found in self.signature.parameters.items() if found.kind is kind), "")


def fitted(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Fitted:
    """What *task* takes of a call's arguments."""
    signature = inspect.signature(task.run)
    try:
        return _whole(signature, signature.bind_partial(*args, **kwargs))
    except TypeError:
        return _partly(signature, args, kwargs)


def _whole(signature: inspect.Signature, bound: inspect.BoundArguments) -> Fitted:
    found = Fitted(signature, {})
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is Parameter.VAR_KEYWORD:
            found.options = dict(value)
        else:
            found.values[name] = list(value) if kind is Parameter.VAR_POSITIONAL else value
    return found


def _partly(signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Fitted:
    parameters = signature.parameters
    kinds = {parameter.kind: name for name, parameter in parameters.items()}
    positional = [name for name, parameter in parameters.items() if parameter.kind in _BY_POSITION]
    found = Fitted(signature, dict(zip(positional, args, strict=False)))
    if rest := kinds.get(Parameter.VAR_POSITIONAL):
        found.values[rest] = list(args[len(positional) :])
    elif len(args) > len(positional):
        found.untold = positional
    for name, value in kwargs.items():
        if name in parameters and parameters[name].kind in (*_BY_POSITION, Parameter.KEYWORD_ONLY):
            if name in found.values and name not in found.untold:
                found.untold.append(name)
            found.values.setdefault(name, value)
        elif Parameter.VAR_KEYWORD in kinds:
            found.options[name] = value
        else:
            found.foreign[name] = value
    for name in found.untold:
        found.values.pop(name, None)
    return found
