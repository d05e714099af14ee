"""A letter's arguments as a person edits them: by parameter name, as JSON, blacked out where they are secret."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..enqueue.outbox import registered
from ..errors import UnknownTask
from ..execution.fitting import fitted
from ..failure.letter_models import DeadLetter
from ..failure.originals import parts_shown
from ..failure.readable import readable


@dataclass(frozen=True, slots=True)
class Edits:
    """What a person changed. given: by name. dropped: names of arguments that the task doesn't take."""

    given: dict[str, Any]
    dropped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.given or self.dropped)

    def __str__(self) -> str:
        other, without = ", ".join(sorted(self.given)), ", ".join(sorted(self.dropped))
        told = (f", with other {other}" if other else "") + (f", without {without}" if without else "")
        return readable(told)


class Shown:
    """The arguments of *letter* that can be told by name; by keyword alone for an unknown task."""

    def __init__(self, letter: DeadLetter) -> None:
        args, kwargs, _ = parts_shown(letter) or ([], {}, {})
        try:
            found = fitted(registered(letter.name), args, kwargs)
        except UnknownTask:
            self._values, self._foreign = dict(kwargs), frozenset[str]()
        else:
            self._values, self._foreign = found.by_name(), frozenset(found.foreign)

    @property
    def text(self) -> str:
        """As they stand on the page."""
        return json.dumps(self._values, indent=2, ensure_ascii=False)

    def edits(self, text: str) -> Edits:
        """What *text* changes of them. Raises ValueError. What the task doesn't take counts as given if left in."""
        try:
            after = json.loads(text)
            _as_text(after)  # which can't be had of all that can be read
        except (ValueError, RecursionError) as error:
            raise ValueError(f"The arguments are no JSON: {error}") from error
        if not isinstance(after, dict):
            raise ValueError("The arguments must be an object, {parameter: value}")  # noqa: TRY004 -- a person's input
        gone = self._values.keys() - after.keys()
        if wanted := gone - self._foreign:
            raise ValueError(f"Give {', '.join(sorted(wanted))}: an argument can be changed, not be left out")
        given = {name: value for name, value in after.items() if name in self._foreign or self._differs(name, value)}
        return Edits(given, tuple(gone))

    def _differs(self, name: str, value: Any) -> bool:
        # As texts: to Python, 1 and true are equal.
        return name not in self._values or _as_text(value) != _as_text(self._values[name])


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
