"""The words on which workers and harness agree."""

from __future__ import annotations

from typing import Final

SETTINGS: Final = "CHAOS_SETTINGS"  # the variable with Celery's settings, as JSON
RUN_JOB: Final = "chaos.run_job"
DIE: Final = "chaos.die"
