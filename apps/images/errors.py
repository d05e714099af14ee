"""What can go wrong with an image. Each error's sentence is shown to the person who sent the image.

The sentences name no address that a name resolved to: that would tell a stranger about the network inside.
"""

from __future__ import annotations

from typing import Final

from tasks.errors import Permanent, Transient


class FetchRefused(Permanent):
    """The URL is one that is not fetched, whatever it answers. Nothing was sent to the address refused."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"{self.url} is not fetched: {self.reason}."


class FetchTooLarge(Permanent):
    """The answer goes on after the largest number of bytes that is accepted."""

    def __init__(self, url: str, max_bytes: int) -> None:
        super().__init__(url, max_bytes)
        self.url, self.max_bytes = url, max_bytes

    def __str__(self) -> str:
        return f"{self.url} holds more than {_megabytes(self.max_bytes)}, the most that is accepted."


class FetchRejected(Permanent):
    """The server answered, and the answer can't become an image by asking again."""

    def __init__(self, url: str, answer: str) -> None:
        super().__init__(url, answer)
        self.url, self.answer = url, answer

    def __str__(self) -> str:
        return f"{self.url} could not be fetched: {self.answer}."


class FetchFailed(Transient):
    """No usable answer this time: no connection, no answer in time, or a server in trouble."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(url, problem)
        self.url, self.problem = url, problem

    def __str__(self) -> str:
        return f"{self.url} could not be fetched: {self.problem}."


class UploadTooLarge(Permanent):
    """The file sent is larger than what is accepted."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self.max_bytes = max_bytes

    def __str__(self) -> str:
        return f"The file is larger than {_megabytes(self.max_bytes)}, the most that is accepted."


class InvalidImage(Permanent):
    """The bytes are no image that is accepted."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"This file can't be used: {self.problem}."


class RenditionMissing(Transient):
    """A rendition on record is not in storage, or not whole."""

    def __init__(self, storage_name: str, recorded_bytes: int) -> None:
        super().__init__(storage_name, recorded_bytes)
        self.storage_name, self.recorded_bytes = storage_name, recorded_bytes

    def __str__(self) -> str:
        return "A rendition of this image was lost in storage. Send the image again to try once more."


def failure_sentence(reason: str, error_type: str, error_message: str) -> str:
    """What to tell an image's owner when a step has died, as its dead letter tells it.

    Our own errors speak for themselves; others may name hosts, tables and paths, and would help nobody.
    """
    if error_type in _SPEAK_FOR_THEMSELVES:
        return error_message
    if reason in _TOOK_TOO_LONG:
        return "It took too long to work on this image, and it was given up."
    return "Something went wrong on our side, and it was given up. Send the image again to try once more."


_SPEAK_FOR_THEMSELVES: Final = frozenset(
    kind.__qualname__
    for kind in (
        FetchRefused,
        FetchTooLarge,
        FetchRejected,
        FetchFailed,
        UploadTooLarge,
        InvalidImage,
        RenditionMissing,
    )
)
_TOOK_TOO_LONG: Final = ("soft_limit", "hard_limit")


def _megabytes(count: int) -> str:
    return f"{count / 1024 / 1024:.3g} MB"
