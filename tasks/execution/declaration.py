"""What a task declares about its effect, checked on the line that declares it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from ..errors import InvalidDeclaration
from ..keys import check_template
from ..options import EFFECT_OPTIONS, ENQUEUE_OPTIONS

EFFECTS: Final = ("database", "external")
LEASE_MARGIN: Final = timedelta(seconds=10)


def effect_attributes(
    task: str, function: Callable[..., Any], options: dict[str, Any], *, bind: bool, time_limit: timedelta
) -> dict[str, Any]:
    """Take EFFECT_OPTIONS out of *options*; return them as attributes of the task's class.

    Raises InvalidDeclaration for what could not work.
    """
    given = {name: options.pop(name) for name in EFFECT_OPTIONS & options.keys()}
    signature = signature_without_self(function, bind=bind)
    if taken := ENQUEUE_OPTIONS & signature.parameters.keys():
        raise InvalidDeclaration(task, f"the parameter {min(taken)!r} is an option of enqueue: name it otherwise")
    effect = given.get("effect")
    if effect is not None and effect not in EFFECTS:
        raise InvalidDeclaration(task, f"effect must be one of {', '.join(EFFECTS)}, not {effect!r}")
    if effect is None and given:
        raise InvalidDeclaration(task, f"{min(given)!r} needs effect='database' or effect='external'")
    if "once" in given:
        check_template(task, given["once"], signature)
    if given.get("on_unknown", "dead") not in ("retry", "dead"):
        raise InvalidDeclaration(task, f"on_unknown must be 'retry' or 'dead', not {given['on_unknown']!r}")
    if effect != "external" and (alone := {"lease", "on_unknown", "reconcile"} & given.keys()):
        raise InvalidDeclaration(task, f"{min(alone)!r} is for effect='external': a transaction has no unknown outcome")
    for name in ("ttl", "lease"):
        if name in given and not (isinstance(given[name], timedelta) and given[name] > timedelta(0)):
            raise InvalidDeclaration(task, f"{name} must be a timedelta above zero, not {given[name]!r}")
    if effect == "external" and given.setdefault("lease", time_limit + LEASE_MARGIN) < time_limit:
        # Past the hard limit nobody can be at it any more; before it somebody may.
        raise InvalidDeclaration(task, f"lease must not be below time_limit ({time_limit}): a slow worker is not dead")
    return {
        # A plain function as a class attribute would be taken for a method.
        name: staticmethod(value) if inspect.isfunction(value) else value
        for name, value in given.items()
    }


def signature_without_self(function: Callable[..., Any], *, bind: bool) -> inspect.Signature:
    """The signature that the task's callers see."""
    signature = inspect.signature(function)
    if not bind:
        return signature
    return signature.replace(parameters=list(signature.parameters.values())[1:])
