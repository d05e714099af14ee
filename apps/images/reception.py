"""Taking an image in and starting its pipeline: what the page and the API have in common."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import File
from django.db import transaction

from tasks.enqueue.outbox import enqueue

from .models import Image
from .pipelines import publication
from .services.receiving import image_receive_upload, image_receive_url, upload_store
from .services.storing import stored_delete


def upload_receive(*, owner: User, title: str, file: File[Any]) -> Image:
    """Take an uploaded file in. Raises UploadTooLarge."""
    upload = upload_store(file=file)
    try:
        with transaction.atomic():
            image = image_receive_upload(owner=owner, title=title, upload=upload)
            enqueue(publication(image.pk))
    except Exception:
        if not Image.objects.filter(key=upload.key).exists():
            stored_delete(name=upload.name)
        raise
    return image


def url_receive(*, owner: User, url: str) -> Image:
    """Take a URL in, to be fetched by a worker. Raises FetchRefused for one that will not be."""
    with transaction.atomic():
        image = image_receive_url(owner=owner, url=url)
        enqueue(publication(image.pk))
    return image
