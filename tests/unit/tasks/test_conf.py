"""The setting TASKS: read once, checked, and refused with the fix in the message."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from tasks.conf import Conf, conf


@override_settings(TASKS={})
def test_without_a_word_the_defaults_hold() -> None:
    """Waits as declared, and messages up to 64 KiB."""
    assert conf() == Conf(retry_time_scale=1.0, payload_max_bytes=65536)


@override_settings(TASKS={"RETRY_TIME_SCALE": 0, "PAYLOAD_MAX_BYTES": 10})
def test_what_is_set_is_read() -> None:
    """And a test's override counts at once, though the settings are read once."""
    assert conf() == Conf(retry_time_scale=0, payload_max_bytes=10)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"RETRY_TIMESCALE": 1}, "unknown setting 'RETRY_TIMESCALE', did you mean 'RETRY_TIME_SCALE'?"),
        ({"retry_time_scale": 1}, "unknown setting 'retry_time_scale': known are RETRY_TIME_SCALE, PAYLOAD_"),
        ({"RETRY_TIME_SCALE": "0.1"}, r"TASKS\['RETRY_TIME_SCALE'\] is '0.1': expected a number\."),
        ({"PAYLOAD_MAX_BYTES": True}, r"TASKS\['PAYLOAD_MAX_BYTES'\] is True: expected a whole number\."),
        ({"HEARTBEAT_FILE": 3}, r"TASKS\['HEARTBEAT_FILE'\] is 3: expected text\."),
        ({"RETRY_TIME_SCALE": -1}, "figure out of range"),
        ({"PAYLOAD_MAX_BYTES": 0}, "figure out of range"),
    ],
)
def test_a_setting_that_cannot_be_kept_is_refused(given: dict[str, Any], sentence: str) -> None:
    """Django takes any name; a misspelt one would leave the default in force, in silence."""
    with override_settings(TASKS=given), pytest.raises(ImproperlyConfigured, match=sentence):
        conf()
