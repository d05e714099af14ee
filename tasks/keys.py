"""Idempotency keys: how a task's arguments become one, and how arguments are told apart. Pure."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, Final

from .errors import InvalidDeclaration

KEY_MAX: Final = 255

KeyTemplate = str | Callable[..., str]


def check_template(task: str, template: KeyTemplate, signature: inspect.Signature) -> None:
    """Raise InvalidDeclaration when *template* names something that the task has no parameter for."""
    if not isinstance(template, str):
        return
    try:
        names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise InvalidDeclaration(task, f"once={template!r} is no template: {error}") from None
    for name in names:
        head = name.split(".")[0].split("[")[0]
        if head != name or not head:
            raise InvalidDeclaration(task, f"once={template!r}: write plain parameter names, not {{{name}}}")
        if name not in signature.parameters:
            known = ", ".join(signature.parameters)
            raise InvalidDeclaration(task, f"once={template!r} names {name!r}; the parameters are {known or 'none'}")
    if not names:
        raise InvalidDeclaration(task, f"once={template!r} is the same for every call: name a parameter in braces")


def key_for(template: KeyTemplate, arguments: Mapping[str, Any]) -> str:
    """The key of one call. Raises ValueError, see `check_key`."""
    key = template.format(**arguments) if isinstance(template, str) else template(**arguments)
    check_key(key)
    return key


def check_key(key: object) -> None:
    """Raise ValueError for a key that is empty, longer than KEY_MAX, or holds what no ledger stores."""
    if not isinstance(key, str) or not 0 < len(key) <= KEY_MAX or not key.isprintable():
        raise ValueError(f"an idempotency key is printable text of 1 to {KEY_MAX} characters, not {key!r}")


def without_defaults(arguments: Mapping[str, Any], signature: inspect.Signature) -> dict[str, Any]:
    """*arguments* but for those that say what their parameter's default says.

    So a parameter with a default can be added without turning the messages under way into calls of another kind.
    """
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}
    return {name: value for name, value in arguments.items() if value != defaults[name]}


def fingerprint(name: str, arguments: Mapping[str, Any]) -> str:
    """The same for the same task and arguments, whatever their order; 64 hexadecimal digits."""
    text = json.dumps([name, arguments], sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
