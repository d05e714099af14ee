"""How long a message with an ETA is kept on the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks.delivery.schedule import wait_before


def _wait(seconds: float, lease: float) -> int | None:
    eta = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    return wait_before({"eta": eta}, 60.0, timedelta(seconds=lease))


@pytest.mark.parametrize("lease", [30, 300])
def test_it_comes_back_when_a_worker_keeps_it(lease: float) -> None:
    """With a lease longer than the horizon it would go to and fro, as fast as the server can, until it is near."""
    for seconds in (61, 200, 1000):
        delay = _wait(seconds, lease)
        assert delay is not None
        left = seconds - delay / 1000
        assert min(lease, 60) - 1 <= left <= 60.1


@pytest.mark.parametrize("lease", [30, 300])
def test_what_is_near_is_the_workers(lease: float) -> None:
    """Also what is due already."""
    assert _wait(59, lease) is None
    assert _wait(-100, lease) is None
