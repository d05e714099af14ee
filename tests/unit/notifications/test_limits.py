"""The figures that reminders rest on."""

from __future__ import annotations

from datetime import timedelta

from config.limits import REMINDER_HORIZON
from config.schedules import SCHEDULES


def test_the_table_is_looked_at_more_often_than_the_horizon_is_far() -> None:
    """Otherwise a reminder could become due between two looks; two may even be missed."""
    (sweep,) = [entry for entry in SCHEDULES if entry.task == "notifications.publish_reminders"]
    assert isinstance(sweep.when, timedelta)
    assert sweep.when * 3 <= REMINDER_HORIZON
