"""Where a day begins and ends. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment of *day* in *zone* and the first after it, in UTC.

    A day is 23 or 25 hours long where the clocks change. Where midnight is skipped, the day begins at the moment of
    the change; where it comes twice, at the first one. So days touch, and each moment is in exactly one.
    """
    return _midnight(day, zone), _midnight(day + ONE_DAY, zone)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The day that it is in *zone* at *moment*."""
    return moment.astimezone(zone).date()


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
