"""A relay beside the workers that a test starts: without it no committed job would reach them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from project.env import PROJECT_ROOT
from project.local.child import Child


def relay_child(environment: Mapping[str, str], directory: Path) -> Child:
    """`manage.py relay`, not started, its log in *directory*. Looks often, as tests look often."""
    return Child(
        name="relay",
        command=[sys.executable, "manage.py", "relay", "--sweep", "0.3"],
        environment=environment,
        directory=PROJECT_ROOT,
        log=directory / "relay.log",
    )
