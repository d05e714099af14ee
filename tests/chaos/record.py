"""The figures behind docs/chaos.md: one JSON line a scenario and transport, the last measurement of each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from project.env import PROJECT_ROOT
from tests.chaos.outcome import Outcome

FILE: Final = PROJECT_ROOT / "docs" / "chaos.jsonl"


def record_read(file: Path = FILE) -> list[Outcome]:
    """What was measured last, in the order in which it was first measured."""
    if not file.exists():
        return []
    return [Outcome(**json.loads(line)) for line in file.read_text().splitlines()]


def record_merge(outcomes: Iterable[Outcome], file: Path = FILE) -> None:
    """Put these in place of earlier ones of the same name and transport, leaving the others."""
    kept = {(one.name, one.transport): one for one in record_read(file)}
    kept.update({(one.name, one.transport): one for one in outcomes})
    file.write_text("".join(f"{one.line}\n" for one in kept.values()))
