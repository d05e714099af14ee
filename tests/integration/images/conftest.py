"""Fixtures of the images' tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from kombu.message import Message
from pytest_django import Settings

from apps.images.models import Image
from apps.images.services.receiving import image_receive_upload, upload_store
from config.queues import MEDIA
from project.celery import app
from tests.servers.s3 import s3, shared_s3

__all__ = ["s3", "shared_s3"]


@pytest.fixture
def files(tmp_path: Path, settings: Settings) -> Path:
    """The default storage is a directory of this test's own, as it is where no S3 is given."""
    location = tmp_path / "media"
    options = {"location": str(location)}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "project.storage.AtomicFileSystemStorage", "OPTIONS": options},
    }
    return location


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def received(owner: User) -> Callable[[bytes], Image]:
    """Takes in an upload, without starting its pipeline."""

    def receive(content: bytes) -> Image:
        upload = upload_store(file=ContentFile(content))
        return image_receive_upload(owner=owner, title="a photo", upload=upload)

    return receive


@pytest.fixture
def published(clean_broker: str) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    """Takes what waits in the queue for media: (wire name, arguments) of each message."""

    def take() -> list[tuple[str, dict[str, Any]]]:
        messages = []
        with app.connection_for_read() as connection:
            queue = app.amqp.queues[MEDIA](connection.default_channel)
            while message := queue.get(no_ack=True):
                messages.append(_told(message))
        return messages

    return take


def _told(message: Message) -> tuple[str, dict[str, Any]]:
    arguments = message.decode()[1]
    return str(message.headers["task"]), dict(arguments)
