"""`manage.py ensure_bucket` on a real S3 API."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests.servers.s3 import BUCKET, S3Server, s3, shared_s3

__all__ = ["s3", "shared_s3"]


def test_a_bucket_that_is_missing_is_made(s3: S3Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A new machine has none."""
    s3.client.delete_bucket(Bucket=BUCKET)

    call_command("ensure_bucket")

    assert capsys.readouterr().out == f"made the bucket {BUCKET}\n"
    s3.client.head_bucket(Bucket=BUCKET)


def test_a_bucket_that_is_there_is_kept_with_what_is_in_it(s3: S3Server, capsys: pytest.CaptureFixture[str]) -> None:
    """It runs at every start."""
    s3.client.put_object(Bucket=BUCKET, Key="a", Body=b"bytes")

    call_command("ensure_bucket")

    assert capsys.readouterr().out == f"kept the bucket {BUCKET}\n"
    assert s3.names() == ["a"]


def test_a_server_that_is_not_there_is_told_in_a_sentence(s3: S3Server, settings: Settings) -> None:
    """With the variables to look at."""
    storage = settings.STORAGES["default"]
    unreachable = {**storage["OPTIONS"], "endpoint_url": "http://127.0.0.1:1"}
    settings.STORAGES = {**settings.STORAGES, "default": {**storage, "OPTIONS": unreachable}}

    with pytest.raises(CommandError, match=r"can't be made or opened: .*S3_ENDPOINT_URL"):
        call_command("ensure_bucket")


def test_without_s3_there_is_nothing_to_make(settings: Settings) -> None:
    """Somebody who calls it expects a bucket, so this is an error."""
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}

    with pytest.raises(CommandError, match="put the bucket's name in S3_BUCKET"):
        call_command("ensure_bucket")


@pytest.mark.parametrize(
    ("option", "value"), [("endpoint_url", "nonsense"), ("bucket_name", "no such name!"), ("region_name", "a b")]
)
def test_an_address_or_a_name_that_is_none_is_told(s3: S3Server, settings: Settings, option: str, value: str) -> None:
    """The client refuses them each in its own way."""
    storage = settings.STORAGES["default"]
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**storage, "OPTIONS": {**storage["OPTIONS"], option: value}},
    }

    with pytest.raises(CommandError, match=r"can't be made or opened: .*S3_ENDPOINT_URL"):
        call_command("ensure_bucket")
