"""A process that has started looks for garbage as any other does, and not among what it was started with."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

THRESHOLD = "import gc; print(gc.get_threshold())"


@pytest.mark.parametrize(("then", "as_usual"), [("", False), ("import django; django.setup(); ", True)])
def test_garbage_is_looked_for_rarely_until_all_is_there(then: str, as_usual: bool) -> None:
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for code in (THRESHOLD, f"import project; {then}{THRESHOLD}")
    ]
    assert (said[0] == said[1]) is as_usual


def test_what_was_there_at_the_start_is_not_looked_at() -> None:
    assert gc.get_freeze_count() > 10_000
