"""Celery's Ignore, raised by a body: the job is given up, and is cancelled.

The worker acknowledges the message whatever happens, so the job's row must end with it: it would stay started, be sent
again by the reconciler, ignored again, and hold its unique lock and its batch on. What `replace` has put in the job's
place has its id, and ends it in its own time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.exceptions import Ignore

from .deaths import job_bury
from .jobs import job_end
from .writing import written

if TYPE_CHECKING:
    from ..base import ReliableTask


class Replaced(Ignore):
    """The body has put another task in its job's place (`Task.replace`)."""


class GivenUp(Ignore):
    """The body has raised Ignore."""


def run(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the body. Raises what it raises, and GivenUp where that is Ignore."""
    try:
        return task.run(*args, **kwargs)
    except Replaced:
        raise
    except Ignore as error:
        raise GivenUp(*error.args) from error


def job_give_up(task: ReliableTask[..., Any]) -> None:
    """Cancel the job, which a batch or chord counts as dead. Nothing for a late copy of an earlier attempt."""

    def end() -> None:
        if job_end(task, "cancelled", "its body raised Ignore"):
            job_bury(task, None, calls_back=False)

    written(task, end)
