"""A real S3 API over HTTP: moto's server as a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar, Final

import boto3
import httpx
import pytest
from pytest_django import Settings

from project.local.child import Child
from project.local.ports import HOST, FreePorts
from project.local.server import Server

BUCKET: Final = "rootstock"
ACCESS_KEY: Final = "test"
SECRET_KEY: Final = "test"


class S3Server(Server):
    """Keeps its objects in memory."""

    ready_within: ClassVar[timedelta] = timedelta(seconds=60)

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://{HOST}:{self.port}"

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

    def _prepare(self) -> Child:
        return Child(
            name=self.name,
            command=[sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)],
            environment=os.environ,
            directory=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/moto-api/data.json", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False


@pytest.fixture(scope="session")
def shared_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server for the whole run."""
    directory = tmp_path_factory.mktemp("s3")
    with S3Server(directory=directory, port=FreePorts().pick("s3"), name="s3") as server:
        yield server


@pytest.fixture
def s3(shared_s3: S3Server, settings: Settings) -> S3Server:
    """An empty bucket, which Django's default storage points at as it does when S3_BUCKET is given."""
    httpx.post(f"{shared_s3.url}/moto-api/reset", trust_env=False).raise_for_status()
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
