"""The steps of an image as tasks. Each takes the image's id, so any one may run twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from django.db import InterfaceError, OperationalError

from tasks import task

from .errors import failure_sentence
from .services import originals, publishing, rendering, reopening

# Storage or the database in trouble: nothing that the image can be blamed for.
PASSING: Final = (OSError, BotoCoreError, ClientError, OperationalError, InterfaceError)


def give_up_image(letter: Any, arguments: dict[str, Any]) -> None:
    """A step has died: tell the image's owner why, in the very transaction."""
    reason = failure_sentence(letter.reason, letter.error_type, letter.error_message)
    publishing.image_fail(image_id=arguments["image_id"], reason=reason)


def take_up_image(letter: Any, arguments: dict[str, Any]) -> None:
    """A step is redriven: the image goes on from there."""
    reopening.image_reopen(image_id=arguments["image_id"])


STEP: Final[dict[str, Any]] = {"retry_on": PASSING, "on_death": give_up_image, "on_redrive": take_up_image}
"""What every step of an image's way declares."""


@task("images.fetch_original", time_limit=timedelta(seconds=60), **STEP)
def fetch_original(image_id: int) -> None:
    """Get the original into storage."""
    originals.original_fetch(image_id=image_id)


@task("images.validate_original", time_limit=timedelta(seconds=90), **STEP)
def validate_original(image_id: int) -> None:
    """Find out what the original is, and whether it is an image at all."""
    originals.original_validate(image_id=image_id)


@task("images.render_rendition", time_limit=timedelta(seconds=120), **STEP)
def render_rendition(image_id: int, size: str) -> None:
    """Render the image in one size, in every format."""
    rendering.rendition_make(image_id=image_id, size=size)


@task("images.store_renditions", time_limit=timedelta(seconds=60), **STEP)
def store_renditions(image_id: int) -> None:
    """Make sure that all renditions are in storage."""
    publishing.renditions_store(image_id=image_id)


@task(
    "images.publish_image",
    time_limit=timedelta(seconds=30),
    effect="database",
    once="images:{image_id}:publish",
    **STEP,
)
def publish_image(image_id: int) -> None:
    """Show the image."""
    publishing.image_publish(image_id=image_id)
