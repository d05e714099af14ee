"""Letters on a terminal, and as JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, TextIO

from ..failure.letter_groups import Group
from ..failure.letter_models import DeadLetter, JobAttempt
from ..failure.originals import parts_shown
from ..failure.readable import printable

WIDTH: Final = 20
_SHOWN: Final = (
    "id", "task_id", "name", "state", "reason", "queue", "error_type", "error_message", "culprit", "fingerprint",
    "release", "deaths", "retries", "root_id", "group_id", "batch_id", "idempotency_key", "closed_by", "note",
)  # fmt: skip


class ProgressBar:
    """A line that grows on a terminal; nothing where nobody looks."""

    def __init__(self, total: int, what: str, stream: TextIO = sys.stderr) -> None:
        self._total, self._what, self._stream = total, what, stream
        self._is_shown = stream.isatty() and total > 1

    def __call__(self, done: int) -> None:
        """So many are done."""
        if self._is_shown:
            full = WIDTH * min(done, self._total) // max(self._total, 1)
            self._stream.write(f"\r[{'#' * full}{'.' * (WIDTH - full)}] {done:,} of {self._total:,} {self._what}")
            self._stream.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._is_shown:
            self._stream.write("\n")


def table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Columns as wide as what stands in them; the last one as it comes."""
    cells = [[printable(str(cell), lines=False) for cell in line] for line in (head, *lines)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in cells
    )


def letter_lines(letters: Iterable[DeadLetter]) -> str:
    """One line each."""
    return table(
        ("ID", "LAST DIED", "STATE", "REASON", "TASK", "DEATHS", "ERROR"),
        (
            (
                letter.pk,
                f"{letter.last_seen_at:%Y-%m-%d %H:%M:%S}",
                letter.state,
                letter.reason,
                letter.name or "-",
                letter.deaths,
                f"{letter.error_type}: {letter.error_message}"[:100].replace("\n", " "),
            )
            for letter in letters
        ),
    )


def group_lines(groups: Iterable[Group]) -> str:
    """One line each."""
    return table(
        ("LETTERS", "FINGERPRINT", "LAST DIED", "LAST 24 HOURS", "TASK", "REASON", "ERROR"),
        (
            (
                group.count,
                group.fingerprint,
                f"{group.last_seen_at:%Y-%m-%d %H:%M:%S}",
                f"|{group.sparkline}|",
                group.latest.name or "-",
                group.latest.reason,
                f"{group.latest.error_type}: {group.latest.error_message}"[:100].replace("\n", " "),
            )
            for group in groups
        ),
    )


def letter_json(letter: DeadLetter) -> dict[str, Any]:
    """What is to be known of one, as JSON has it. Secrets are blacked out in the letter already."""
    return {
        **{name: getattr(letter, name) for name in _SHOWN},
        "first_seen_at": letter.first_seen_at.isoformat(),
        "last_seen_at": letter.last_seen_at.isoformat(),
        "closed_at": letter.closed_at.isoformat() if letter.closed_at else None,
    }


def history_json(letter: DeadLetter) -> dict[str, Any]:
    """One letter with its message, its attempts and its redrives."""
    return {
        **letter_json(letter),
        "headers": letter.headers,
        "body": json.loads(letter.body) if parts_shown(letter) else None,
        "attempts": [
            {
                "retries": attempt.retries,
                "generation": attempt.generation,
                "outcome": attempt.outcome,
                "begun_at": attempt.begun_at.isoformat() if attempt.begun_at else None,
                "ended_at": attempt.ended_at.isoformat(),
                "worker": attempt.worker,
                "deliveries": attempt.deliveries,
                "error_type": attempt.error_type,
                "error_message": attempt.error_message,
                "traceback": attempt.traceback,
            }
            for attempt in JobAttempt.objects.filter(task_id=letter.task_id).order_by("pk")
        ],
        "redrives": [
            {
                "generation": redrive.generation,
                "asked_at": redrive.asked_at.isoformat(),
                "asked_by": redrive.asked_by,
                "edited": bool(redrive.edited_body),
                "outcome": redrive.outcome,
                "ended_at": redrive.ended_at.isoformat() if redrive.ended_at else None,
            }
            for redrive in letter.redrives.order_by("generation")
        ],
    }


def history_lines(letter: DeadLetter) -> str:
    """The same for a person."""
    known = history_json(letter)
    lines = [f"{name:16} {known[name]}" for name in (*_SHOWN, "first_seen_at", "last_seen_at", "closed_at")]
    if letter.body:
        lines += _body_lines(letter.body, known["body"])
    for redrive in known["redrives"]:
        lines.append(
            f"redrive {redrive['generation']} by {redrive['asked_by']} at {redrive['asked_at']}: {redrive['outcome']}"
        )
    for number, attempt in enumerate(known["attempts"], start=1):
        lines += [
            "",
            f"attempt {number}, {attempt['begun_at']} to {attempt['ended_at']}, on {attempt['worker'] or '?'}",
        ]
        lines += [f"{attempt['outcome']}: {attempt['error_type']}: {attempt['error_message']}", attempt["traceback"]]
    return printable("\n".join(lines).rstrip())


def _body_lines(text: str, body: Any) -> list[str]:
    """What the job was given, and what would go on after it; the text as it is where it can't be read."""
    try:
        args, kwargs, follows = body
        chain = [str(link.get("task", "?")) for link in reversed((follows or {}).get("chain") or [])]
    except (ValueError, TypeError, AttributeError):
        return [f"{'unreadable body':16} {text}"]
    return [
        f"{'arguments':16} {json.dumps([args, kwargs], ensure_ascii=False)}",
        f"{'rest of chain':16} {' → '.join(chain) or 'none'}",
    ]
