"""What an image's owner reads when it fails."""

from __future__ import annotations

import pytest

from apps.images import errors
from apps.images.errors import failure_sentence
from tasks import Permanent, Transient

URL = "https://pictures.example/a.png"

SENTENCES = {
    errors.FetchRefused(URL, "its host is a private address"): f"{URL} is not fetched: its host is a private address.",
    errors.FetchTooLarge(URL, 26214400): f"{URL} holds more than 25 MB, the most that is accepted.",
    errors.FetchRejected(URL, "the server answered 404"): f"{URL} could not be fetched: the server answered 404.",
    errors.FetchFailed(URL, "the connection failed"): f"{URL} could not be fetched: the connection failed.",
    errors.UploadTooLarge(26214400): "The file is larger than 25 MB, the most that is accepted.",
    errors.InvalidImage("it is damaged"): "This file can't be used: it is damaged.",
    errors.RenditionMissing("a/b", 12): (
        "A rendition of this image was lost in storage. Send the image again to try once more."
    ),
}


@pytest.mark.parametrize("error", SENTENCES, ids=lambda error: type(error).__name__)
def test_an_error_of_ours_speaks_for_itself(error: Permanent | Transient) -> None:
    """In the words of the dead letter."""
    assert failure_sentence("permanent", type(error).__qualname__, str(error)) == SENTENCES[error]


def test_every_error_of_ours_has_its_sentence_here() -> None:
    """One that is added and not named as ours would be told as something on our side."""
    ours = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Permanent | Transient) and kind.__module__ == errors.__name__
    }
    assert ours == {type(error) for error in SENTENCES}


@pytest.mark.parametrize("reason", ["soft_limit", "hard_limit"])
def test_a_time_limit_is_told_as_such(reason: str) -> None:
    """Its own words are about seconds and signals."""
    sentence = failure_sentence(reason, "TimeLimitExceeded", "TimeLimitExceeded(120.0,)")
    assert sentence == "It took too long to work on this image, and it was given up."


def test_any_other_error_is_not_shown() -> None:
    """Its words may name hosts, tables and paths, and help nobody who sent a photograph."""
    sentence = failure_sentence("exhausted", "ConnectionError", "could not connect to db-1.internal:5432")
    assert "internal" not in sentence
    assert "Something went wrong on our side" in sentence
