"""How a connection is waited for."""

from __future__ import annotations

from queue import Empty

import pytest

from tasks.delivery.channel import UNLIMITED_ROOM
from tasks.delivery.transport import LeasePoller


def test_who_waits_once_for_a_message_slows_down_no_event_loop_after_it() -> None:
    """A worker that mingles waits so when it starts. If it went on by ones, processes would idle beside messages."""
    poller = LeasePoller()
    with pytest.raises(Empty):
        poller.get(None, timeout=0.01)
    assert poller.at_once == UNLIMITED_ROOM
    poller.close()
