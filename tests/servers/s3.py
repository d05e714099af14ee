"""A real S3 API over HTTP: moto's server as a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import boto3
import httpx
import pytest
from pytest_django import Settings

from project.local.ports import FreePorts
from tests.servers.moto import ACCESS_KEY, SECRET_KEY, MotoServer

BUCKET: Final = "rootstock"


class S3Server(MotoServer):
    """Buckets and objects."""

    @property
    def client(self) -> Any:
        """boto3's client for it."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
        )

    def names(self) -> list[str]:
        """The names of all objects."""
        listing = self.client.list_objects_v2(Bucket=BUCKET)
        return [entry["Key"] for entry in listing.get("Contents", ())]


@pytest.fixture(scope="session")
def shared_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server for the whole run."""
    directory = tmp_path_factory.mktemp("s3")
    with S3Server(directory=directory, port=FreePorts().pick("s3"), name="s3") as server:
        yield server


@pytest.fixture
def s3(shared_s3: S3Server, settings: Settings) -> S3Server:
    """An empty bucket, which Django's default storage points at as it does when S3_BUCKET is given."""
    httpx.post(f"{shared_s3.url}/moto-api/reset", timeout=30, trust_env=False).raise_for_status()
    shared_s3.client.create_bucket(Bucket=BUCKET)
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "bucket_name": BUCKET,
                "endpoint_url": shared_s3.url,
                "access_key": ACCESS_KEY,
                "secret_key": SECRET_KEY,
                "region_name": "us-east-1",
                "file_overwrite": True,
            },
        },
    }
    return shared_s3
