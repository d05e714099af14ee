"""What a task declares about its death, checked on the line that declares it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidDeclaration


def letter_attributes(task: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """LETTER_OPTIONS among *options* as attributes of the task's class. Raises InvalidDeclaration."""
    attributes: dict[str, Any] = {}
    if (secret := options.get("secret")) is not None:
        if not isinstance(secret, tuple) or not all(isinstance(name, str) and name for name in secret):
            raise InvalidDeclaration(task, f"secret must be a tuple of names, as in ('card_number',), not {secret!r}")
        attributes["secret"] = secret
    for name in ("on_death", "on_redrive"):
        if (hook := options.get(name)) is not None:
            _check_hook(task, name, hook)
            # A plain function as a class attribute would be taken for a method.
            attributes[name] = staticmethod(hook) if inspect.isfunction(hook) else hook
    if (keep := options.get("keep_revoked")) is not None:
        if not isinstance(keep, bool):
            raise InvalidDeclaration(task, f"keep_revoked must be True or False, not {keep!r}")
        attributes["keep_revoked"] = keep
    return attributes


def _check_hook(task: str, name: str, hook: Any) -> None:
    if not callable(hook):
        raise InvalidDeclaration(task, f"{name} must be a function of the letter and the arguments, not {hook!r}")
    try:
        inspect.signature(hook).bind("letter", {})
    except TypeError as problem:
        raise InvalidDeclaration(task, f"{name} is called with the letter and the arguments, but {problem}") from None
