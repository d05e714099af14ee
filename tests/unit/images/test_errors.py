"""What an image's owner reads when it fails."""

from __future__ import annotations

import pickle

import pytest
from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

from apps.images import errors
from apps.images.tasks import failure_sentence
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
def test_an_error_of_ours_speaks_for_itself_after_any_journey(error: Permanent | Transient) -> None:
    """It crosses from the child that failed to whoever reports it, pickled."""
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 -- pickled on this line
    assert failure_sentence(arrived) == SENTENCES[error]


@pytest.mark.parametrize("error", [SoftTimeLimitExceeded(), TimeLimitExceeded(120)], ids=["soft", "hard"])
def test_a_time_limit_is_told_as_such(error: Exception) -> None:
    """Its own words are about seconds and signals."""
    assert failure_sentence(error) == "It took too long to work on this image, and it was given up."


def test_any_other_error_is_not_shown() -> None:
    """Its words may name hosts, tables and paths, and help nobody who sent a photograph."""
    sentence = failure_sentence(ConnectionError("could not connect to db-1.internal:5432"))
    assert "internal" not in sentence
    assert "Something went wrong on our side" in sentence
