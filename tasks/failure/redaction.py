"""Blacks out what is secret in a message, before it is kept where people read it. Pure.

Secret is what stands under a name that the task declares (`secret=("card_number",)`), or under one that says so itself
(`password`, `api_key`, ...), at any depth: in the arguments, in the headers, and in the links that are to follow. What
was found is blacked out of texts, too, as errors like to quote the value that they choked on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

BLACK: Final = "[redacted]"
TOO_DEEP: Final = "[nested too deep to be shown]"
DEPTH_MAX: Final = 60

# As the words of a name, so that `user_password` and `apiKey` are meant, and `tokens_used` is not.
DEFAULT_NAMES: Final = (
    "password", "passwd", "passphrase", "secret", "token", "authorization", "cookie", "credential", "credentials",
    "api_key", "apikey", "access_key", "secret_key", "private_key", "card_number", "cvc", "cvv",
)  # fmt: skip
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DEFAULT: Final = re.compile(rf"(?:^|_)(?:{'|'.join(DEFAULT_NAMES)})$")

_CALL: Final = ("args", "kwargs")

# Shorter ones are blacked out where they stand by themselves; else a PIN of "1" would black out every 1.
_ANYWHERE_FROM: Final = 6


@dataclass(frozen=True, slots=True)
class TaskSecrets:
    """What a task declares: the *names* that are secret, and its *parameters*, in order, for positional arguments."""

    names: frozenset[str] = frozenset()
    parameters: tuple[str, ...] = ()


@dataclass(slots=True)
class Redaction:
    """Blacks out, and remembers the values that it has blacked out.

    secrets_of: what the task of a wire name declares.
    """

    secrets_of: Callable[[str], TaskSecrets]
    found: set[str] = field(default_factory=set)
    is_cut: bool = False
    """Whether something was left out because it is nested too deep to be looked through."""

    def call(self, task: str, args: Any, kwargs: Any, depth: int = 0) -> tuple[Any, Any]:
        """The arguments of a call of *task*, blacked out."""
        secrets = self.secrets_of(task)
        if isinstance(args, list | tuple):
            named = list(secrets.parameters[: len(args)]) + [""] * (len(args) - len(secrets.parameters))
            args = [self._value(name, value, secrets.names, depth) for name, value in zip(named, args, strict=True)]
        return args, self.inside(kwargs, secrets.names, depth)

    def inside(self, value: Any, names: frozenset[str] = frozenset(), depth: int = 0) -> Any:
        """*value* with what is secret in it blacked out. A signature in it is a call of its own task."""
        if depth > DEPTH_MAX and isinstance(value, Mapping | list | tuple):
            self.is_cut = True
            return TOO_DEEP
        if isinstance(value, Mapping):
            if "task" in value and "kwargs" in value:
                args, kwargs = self.call(str(value["task"]), value.get("args"), value["kwargs"], depth + 1)
                rest = {key: self.inside(item, depth=depth + 1) for key, item in value.items() if key not in _CALL}
                return {**rest, "args": args, "kwargs": kwargs}
            return {key: self._value(key, item, names, depth) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.inside(item, names, depth + 1) for item in value]
        return value

    def text(self, text: str) -> str:
        """*text* without the values that were blacked out so far."""
        # The longest first: one may be a part of another.
        for value in sorted(self.found, key=len, reverse=True):
            if value not in text:
                continue
            if len(value) >= _ANYWHERE_FROM:
                text = text.replace(value, BLACK)
            else:
                text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", BLACK, text)
        return text

    def _value(self, name: Any, value: Any, names: frozenset[str], depth: int) -> Any:
        if name and is_secret(str(name), names):
            if value is None or value in ("", BLACK):
                return value
            self.found.update(_texts(value))
            return BLACK
        return self.inside(value, names, depth + 1)


def is_secret(name: str, declared: Iterable[str] = ()) -> bool:
    """Whether what stands under *name* is secret."""
    if name in declared:
        return True
    words = _CAMEL.sub("_", name).replace("-", "_").lower()
    return _DEFAULT.search(words) is not None


def _texts(value: Any) -> set[str]:
    """How *value* may look in a text."""
    if isinstance(value, Mapping):
        return set().union(*(_texts(item) for item in value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return set().union(*(_texts(item) for item in value))
    if value is None or isinstance(value, bool):
        return set()
    text = str(value)
    return {found for found in (text, repr(value)[1:-1] if isinstance(value, str) else text) if found}
