"""From the bytes on a list to a message that a consumer can be given, or the reason why it can't."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from .intake import NOT_AN_ENVELOPE, UNDECODABLE
from .kombu_parts import base
from .lease import Held

COUNTS_PROPERTY: Final = "x-counts"
"""Property of a message that was handed out before: {"delivered", "started", "died", "given_back"}, each how often
before this delivery. A task sees it as `self.request.properties["x-counts"]`; one without it is new."""


class Undeliverable(ValueError):
    """No worker can be given this message. `reason`: one of `intake.REASONS`."""

    def __init__(self, reason: str, because: str) -> None:
        super().__init__(reason, because)
        self.reason, self.because = reason, because

    def __str__(self) -> str:
        return f"{self.reason}: {self.because}"


@dataclass(frozen=True, slots=True)
class Counts:
    """How often this has happened to a message before this delivery."""

    delivered: int
    started: int
    died: int
    given_back: int


class LeasedMessage(base.Message):  # type: ignore[misc] # see kombu_parts
    """A message in our hands. When nobody refers to it any more and it is not settled, it goes back to its list."""

    held: Held | None = None

    def starting(self) -> None:
        """It is about to run: from here on its worker's death counts as its own."""
        held = self.held
        if held is not None and not held.started:
            held.started = True
            if held.waiting:
                held.waiting = False
                self.channel.starts.add(held)

    @property
    def ours(self) -> bool:
        """Whether it may still be run here."""
        return self.held is None or self.held.lease.usable

    def __del__(self) -> None:
        held = self.held
        if held is not None and (held.lease.lost or held.number in held.lease.held):
            self.channel.forget(self.delivery_tag)
            held.lease.forget(held)


def message_read(raw: bytes, channel: Any, held: Held, counts: Counts) -> LeasedMessage:
    """The message that kombu or any other publisher wrote as *raw*. Raises Undeliverable."""
    payload = _envelope(raw)
    properties = payload["properties"]
    properties["delivery_tag"] = f"{held.lease.owner}:{held.number}"
    if counts.delivered:
        properties["delivery_info"]["redelivered"] = True
        properties[COUNTS_PROPERTY] = {
            "delivered": counts.delivered,
            "started": counts.started,
            "died": counts.died,
            "given_back": counts.given_back,
        }
    try:
        message = LeasedMessage(payload, channel=channel)
    except Exception as error:  # whatever a body's encoding may raise, it can't be decoded
        raise Undeliverable(UNDECODABLE, f"{type(error).__name__}: {error}") from error
    message.held = held
    return message


def _envelope(raw: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError) as error:  # the latter: it is nested too deep
        raise Undeliverable(UNDECODABLE, str(error)) from error
    if not isinstance(payload, dict) or not isinstance(payload.get("properties"), dict):
        raise Undeliverable(NOT_AN_ENVELOPE, "it is no object with properties")
    properties = payload["properties"]
    properties.setdefault("delivery_info", {})
    headers = payload.get("headers") or {}
    if not isinstance(properties["delivery_info"], dict) or not isinstance(headers, dict):
        raise Undeliverable(NOT_AN_ENVELOPE, "its headers or its delivery_info are no object")
    payload["headers"] = headers
    if "task" in headers and not (isinstance(headers["task"], str) and isinstance(headers.get("id"), str)):
        raise Undeliverable(NOT_AN_ENVELOPE, "its headers name a task without an id")
    return payload
