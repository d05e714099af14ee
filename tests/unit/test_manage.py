"""`manage.py` where the settings are wrong: the sentence that says which, and nothing else."""

from __future__ import annotations

import subprocess
import sys

from project.env import PROJECT_ROOT, surroundings


def test_a_setting_that_is_wrong_is_a_line() -> None:
    """It is what a new deployment sees first."""
    wrong = {**surroundings(), "DJANGO_SETTINGS_MODULE": "project.settings.test", "LEASE_TIME_SCALE": "much"}
    done = subprocess.run(
        [sys.executable, "manage.py", "relay"], cwd=PROJECT_ROOT, env=wrong, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "manage.py: LEASE_TIME_SCALE is 'much': expected a number.\n")
