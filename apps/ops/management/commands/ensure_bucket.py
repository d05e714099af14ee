"""Make sure that the bucket for files is there and that our keys open it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.storage import default_storage
from django.core.management.base import CommandError

from tasks.management.plain_command import PlainCommand

MISSING = frozenset({"404", "NoSuchBucket"})
THERE_ALREADY = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


class Command(PlainCommand):
    """`manage.py ensure_bucket`"""

    help = "Make the S3 bucket that S3_BUCKET names, unless it is there."

    def handle(self, *args: Any, **options: Any) -> None:
        name = getattr(default_storage, "bucket_name", None)
        if not name:
            raise CommandError("Files are kept in a directory, not in S3: put the bucket's name in S3_BUCKET.")
        try:
            made = _ensure(default_storage.connection.meta.client, name)  # type: ignore[attr-defined]
        except (BotoCoreError, ClientError, ValueError) as error:  # ValueError: of an address that is none
            why = " ".join(str(error).split())
            raise CommandError(
                f"The bucket {name!r} can't be made or opened: {why} "
                "Look at S3_BUCKET, S3_ENDPOINT_URL, S3_ACCESS_KEY and S3_SECRET_KEY."
            ) from error
        self.stdout.write(f"{'made' if made else 'kept'} the bucket {name}")


def _ensure(client: Any, name: str) -> bool:
    """Return whether the bucket had to be made. Another copy of this command may make it at the same moment."""
    try:
        client.head_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
    else:
        return False
    try:
        client.create_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in THERE_ALREADY:
            raise
        client.head_bucket(Bucket=name)  # ours, or somebody else's under the same name
        return False
    return True
