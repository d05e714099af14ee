"""A worker that dies at any point of an image's way leaves an image that is published, with every rendition once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from pytest_django import Settings

from apps.images.models import Image
from apps.images.reception import upload_receive
from apps.images.renditions import SIZES, formats
from project.local.waiting import wait_until
from tasks.enqueue.models import OutboxMessage
from tests.chaos.shop_floor import ShopFloor
from tests.integration.images.drawing import PHOTOS

STEPS = ("fetch_original", "validate_original", "render_rendition", "store_renditions", "publish_image")
# Boundaries of a step; no more than two at a time, as a job that takes its worker with it three times is a dead letter.
# Of the steps, publishing alone has a key to claim: what is rendered twice is the same file under the same name.
BOUNDARIES = {
    "before the body": ("before_claim", "after_claim"),
    "after it": ("before_commit", "after_commit"),
}
KEYED = "publish_image"


@pytest.mark.parametrize("boundaries", BOUNDARIES.values(), ids=list(BOUNDARIES))
@pytest.mark.timeout(240)
def test_a_crash_at_every_boundary_of_every_step_publishes_the_image_all_the_same(
    process_environment: dict[str, str], tmp_path: Path, settings: Settings, boundaries: tuple[str, str]
) -> None:
    """The worker, its children too, is killed by SIGKILL the first time that each point is reached."""
    files, markers = tmp_path / "media", tmp_path / "markers"
    markers.mkdir()
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "project.storage.AtomicFileSystemStorage", "OPTIONS": {"location": str(files)}},
    }
    points = [
        f"images.{step}:{boundary}"
        for step in STEPS
        for boundary in boundaries
        if boundary != "after_claim" or step == KEYED
    ]
    environment = {**process_environment, "MEDIA_ROOT": str(files)}
    crash_at = f"{','.join(points)}@{markers}"
    with ShopFloor(directory=tmp_path, environment=environment, crash_at=crash_at) as floor:
        photo = (PHOTOS / "rocket.jpg").read_bytes()
        owner = User.objects.create_user("ada")
        image = upload_receive(owner=owner, title="a photo", file=ContentFile(photo))

        def over() -> bool:
            floor.tend()
            image.refresh_from_db()
            return image.is_over and len(list(markers.iterdir())) == len(points)

        done = wait_until(over, within=timedelta(seconds=220), pause=timedelta(milliseconds=200))
        assert done, f"{image.state}, reached {sorted(path.name for path in markers.iterdir())}"
    assert floor.restarts["worker0"] >= len(points) - 1  # the last one may not have been started again yet
    assert image.state == Image.State.PUBLISHED
    assert image.renditions.count() == len(SIZES) * len(formats())
    assert len([path for path in files.rglob("*") if path.is_file()]) == 1 + len(SIZES) * len(formats())
    published = OutboxMessage.objects.filter(name="images.publish_image")
    assert [row.state for row in published] == [OutboxMessage.State.SUCCEEDED]
