"""Where days begin and end, in every time zone there is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from apps.reports.days import ONE_DAY, day_bounds, day_of

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
DAYS = st.dates(date(1975, 1, 1), date(2037, 12, 1))
# Their clocks change at or around midnight, in one way or the other.
MIDNIGHT_ZONES = st.sampled_from(
    ["Africa/Cairo", "America/Havana", "America/Asuncion", "America/Santiago", "Asia/Beirut", "Asia/Amman", "Asia/Gaza"]
).map(ZoneInfo)


@given(DAYS, ZONES)
def test_days_touch_and_never_overlap(day: date, zone: ZoneInfo) -> None:
    """A sale is in one report, and in no two, whatever the clocks do; even where a date was skipped (Apia, 2011)."""
    begin, end = day_bounds(day, zone)
    assert begin.tzinfo is UTC
    assert end == day_bounds(day + ONE_DAY, zone)[0]
    assert timedelta(0) <= end - begin <= timedelta(hours=49)


@given(DAYS, st.one_of(MIDNIGHT_ZONES, st.just(BERLIN), st.just(ZoneInfo("Australia/Lord_Howe"))), st.data())
def test_every_moment_of_a_day_has_its_date(day: date, zone: ZoneInfo, data: st.DataObject) -> None:
    """The bounds are what the clock on the wall says, also where midnight doesn't exist or comes twice."""
    begin, end = day_bounds(day, zone)
    last = end - timedelta(microseconds=1)
    moment = data.draw(st.datetimes(begin.replace(tzinfo=None), last.replace(tzinfo=None))).replace(tzinfo=UTC)
    assert day_of(moment, zone) == day
    assert day_of(begin, zone) == day_of(last, zone) == day


@given(st.integers(1976, 2036))
def test_the_days_when_the_clocks_change_are_an_hour_shorter_or_longer(year: int) -> None:
    """Midnight plus 24 hours would put an hour of sales into the wrong report, twice a year."""
    begin, end = date(year, 1, 1), date(year + 1, 1, 1)
    days = [begin + timedelta(days=number) for number in range((end - begin).days)]
    lengths = [day_bounds(day, BERLIN) for day in days]
    odd = [(to - at) for at, to in lengths if to - at != timedelta(hours=24)]
    assert sorted(odd) in ([], [timedelta(hours=23), timedelta(hours=25)])
    if year >= 1981:
        assert len(odd) == 2


def test_the_last_sunday_of_march_has_twenty_three_hours_in_berlin() -> None:
    """One that everybody can check by hand."""
    assert day_bounds(date(2026, 3, 29), BERLIN) == (
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 22, tzinfo=UTC),
    )
