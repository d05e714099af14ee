"""A media worker whose processes are killed with SIGKILL: every photograph is published all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.contrib.auth.models import User

from apps.images.models import Image, Rendition
from apps.images.renditions import SIZES, formats
from config.limits import DEATHS_MAX
from project.local.waiting import wait_until
from tasks.failure.letter_models import JobAttempt
from tasks.testing.waiting import eventually
from tests.e2e.images.conftest import MediaWorker, ended
from tests.e2e.images.test_publication import assert_published, upload
from tests.integration.images.drawing import encoded, noise

pytestmark = pytest.mark.timeout(300)

SOON = timedelta(seconds=60)


@pytest.fixture(scope="module")
def large_photo() -> bytes:
    """Takes long enough to be met in the middle of it."""
    return encoded(noise(3000, 2000), "jpeg")


def rendering(image: Image) -> bool:
    image.refresh_from_db()
    return image.state == "rendering"


def half_rendered(image: Image) -> bool:
    return 0 < Rendition.objects.filter(image=image).count() < len(SIZES) * len(formats())


def progress() -> object:
    return list(Image.objects.values_list("pk", "changed_at")), Rendition.objects.count()


def progress_is_made() -> None:
    """Wait for any image to get any further."""
    before = progress()
    assert wait_until(lambda: progress() != before, within=SOON)


def a_job_is_nearly_given_up() -> bool:
    """Whether one more kill could be the last that a job is allowed: its image would have failed."""
    deaths = Counter(JobAttempt.objects.filter(outcome="died").values_list("task_id", flat=True))
    return max(deaths.values(), default=0) >= DEATHS_MAX - 1


@pytest.mark.parametrize("moment", [rendering, half_rendered], ids=["rendering", "half rendered"])
def test_a_photo_is_published_though_its_processes_are_killed(
    worker: MediaWorker, owner: User, files: Path, large_photo: bytes, moment: Callable[[Image], bool]
) -> None:
    """The job goes back to the queue and another process does it again, under the same names."""
    image = upload(owner, large_photo)
    assert wait_until(lambda: moment(image), within=SOON)
    killed = worker.pool()
    for process in killed:
        process.kill()
    image.refresh_from_db()
    assert image.state == "rendering"
    assert ended(image)
    assert_published(image)
    assert len([path for path in files.rglob("*") if path.is_file()]) == 1 + len(SIZES) * len(formats())
    assert not {process.pid for process in killed} & {process.pid for process in worker.pool()}


def test_every_photo_is_published_though_processes_keep_dying(
    worker: MediaWorker, owner: User, files: Path, large_photo: bytes
) -> None:
    """Kills that fall where they fall, between and inside the steps of many photographs."""
    images = [upload(owner, large_photo) for _ in range(4)]
    for _ in range(8):
        progress_is_made()
        if a_job_is_nearly_given_up():
            break
        with suppress(psutil.NoSuchProcess):
            eventually(worker.pool)[0].kill()
    assert ended(*images)
    for image in images:
        assert_published(image)
