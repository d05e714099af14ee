"""The results that a chord collects, as they lie in the database's JSON until its last member has ended.

JSON as messages carry it, as one text inside the database's: that has no NUL and no NaN, and makes an integer of 1e16.
Results from before this was so lie there as they are, and are read, too.
"""

from __future__ import annotations

import json
from typing import Any, Final

from kombu.utils.json import dumps, loads

from ..enqueue.payloads import check_value
from ..errors import PayloadRefused

_TEXT: Final = "tasks_result"
_NONE: Final = json.dumps({_TEXT: "null"})


def collected(task_id: str, result: Any) -> tuple[str, PayloadRefused | None]:
    """What to store of a member's result, and why the chord's body can't be given it, or None.

    The body would be refused it only when the last member ends, and that one would die of it.
    """
    try:
        text = str(dumps(result))
        check_value(f"chord member {task_id}", "its result", loads(text))
    except PayloadRefused as refusal:
        return _NONE, refusal
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"is nothing that a message can carry ({error}): return plain data"
        return _NONE, PayloadRefused(f"chord member {task_id}", "its result", problem)
    return json.dumps({_TEXT: text}), None


def result_of(stored: Any) -> Any:
    """The result that *stored* stands for. Tuples have become lists."""
    found = json.loads(stored) if isinstance(stored, str) else stored
    if isinstance(found, dict) and found.keys() == {_TEXT}:
        return loads(found[_TEXT])
    return found
