"""The errors of the domains that send, report and sync."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta

import pytest

from apps.integrations import errors as integrations
from apps.notifications import errors as notifications
from apps.ops import errors as ops
from apps.reports import errors as reports

ERRORS: list[Exception] = [
    notifications.MailServerAway("connection refused"),
    notifications.MailRefused(550, "no such user"),
    notifications.MailMalformed("it has no recipient"),
    notifications.NoAddress("ada"),
    notifications.NotSubscribed("ada"),
    notifications.DueOutOfRange(datetime(2020, 1, 1, tzinfo=UTC), timedelta(days=366)),
    notifications.TokenInvalid(),
    integrations.SupplierAway("it answered 500"),
    integrations.SupplierBusy(429, timedelta(seconds=30)),
    integrations.SupplierRefused(404, "http://supplier/offers"),
    integrations.AddressUnusable("no scheme"),
    integrations.FeedMalformed("offers: a list is missing"),
    integrations.RunReplaced(7),
    reports.DayOutOfRange(date(2030, 1, 1), date(2000, 1, 1), date(2026, 1, 1)),
    reports.BuildReplaced(7),
    reports.MixedCurrencies(("eur", "usd")),
    ops.ScheduleRefused(("one", "two")),
    ops.NameTaken("Nightly"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickle_with_its_facts_and_its_sentence(error: Exception) -> None:
    """A pool's process hands it to the main one that way."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own
    assert type(copy) is type(error)
    assert copy.args == error.args
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
