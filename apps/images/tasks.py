"""The steps of an image as tasks. Each takes the image's id, so any one may run twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, ParamSpec, TypeVar

from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from botocore.exceptions import BotoCoreError, ClientError
from django.db import InterfaceError, OperationalError

from tasks import Permanent, ReliableTask, Transient, task
from tasks.enqueue.outbox import publish

from .services import originals, publishing, rendering

P = ParamSpec("P")
R = TypeVar("R")

# Storage or the database in trouble: nothing that the image can be blamed for.
PASSING: Final = (OSError, BotoCoreError, ClientError, OperationalError, InterfaceError)


class ImageTask(ReliableTask[P, R]):
    """A step whose failure for good is told to the image's owner, by a job of its own.

    The hook runs in the worker's main process when a hard time limit struck, so it does no more than publish.
    """

    abstract = True

    def on_failure(
        self, exc: Exception, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any], einfo: Any
    ) -> None:
        """Have the image marked as failed. `image_id` is the first argument of every step."""
        image_id = kwargs["image_id"] if "image_id" in kwargs else args[0]
        publish("images.fail_image", image_id=image_id, reason=failure_sentence(exc))
        super().on_failure(exc, task_id, tuple(args), dict(kwargs), einfo)


def failure_sentence(error: BaseException) -> str:
    """What to tell an image's owner about *error*: our own errors speak for themselves, others would puzzle."""
    if isinstance(error, Permanent | Transient):
        return str(error)
    if isinstance(error, SoftTimeLimitExceeded | TimeLimitExceeded):
        return "It took too long to work on this image, and it was given up."
    return "Something went wrong on our side, and it was given up. Send the image again to try once more."


@task("images.fetch_original", time_limit=timedelta(seconds=60), base=ImageTask, retry_on=PASSING)
def fetch_original(image_id: int) -> None:
    """Get the original into storage."""
    originals.original_fetch(image_id=image_id)


@task("images.validate_original", time_limit=timedelta(seconds=90), base=ImageTask, retry_on=PASSING)
def validate_original(image_id: int) -> None:
    """Find out what the original is, and whether it is an image at all."""
    originals.original_validate(image_id=image_id)


@task("images.render_rendition", time_limit=timedelta(seconds=120), base=ImageTask, retry_on=PASSING)
def render_rendition(image_id: int, size: str) -> None:
    """Render the image in one size, in every format."""
    rendering.rendition_make(image_id=image_id, size=size)


@task("images.store_renditions", time_limit=timedelta(seconds=60), base=ImageTask, retry_on=PASSING)
def store_renditions(image_id: int) -> None:
    """Make sure that all renditions are in storage."""
    publishing.renditions_store(image_id=image_id)


@task(
    "images.publish_image",
    time_limit=timedelta(seconds=30),
    base=ImageTask,
    retry_on=PASSING,
    effect="database",
    once="images:{image_id}:publish",
)
def publish_image(image_id: int) -> None:
    """Show the image."""
    publishing.image_publish(image_id=image_id)


@task("images.fail_image", time_limit=timedelta(seconds=30), retry_on=PASSING)
def fail_image(image_id: int, reason: str) -> None:
    """Give the image up and say why."""
    publishing.image_fail(image_id=image_id, reason=reason)
