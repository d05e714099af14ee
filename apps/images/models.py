"""Images that people sent, and the renditions made of them.

An image's states, who moves it, and what a crash leaves behind:

    received ──fetch_original──▶ fetching ──validate_original──▶ validated ──render_rendition ×3──▶ rendering
        │                           │                               │                                  │
        │                           │                               │           store_renditions, publish_image
        └───────────────────────────┴────a step dies────────────────┴──▶ failed ◀──────────────────────┴──▶ published

A step's death and the image's are one transaction. When it is redriven, the image goes back to how far it had come.
Bytes are in storage, under names made of the image's key and the original's digest. They are written before the row
that names them, so a crash leaves a file that the repeated step writes again, never a row without its file.
"""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models


class Image(models.Model):
    """One image. Width, height, format and so on are the original's, empty until they are known."""

    class State(models.TextChoices):
        RECEIVED = "received"
        FETCHING = "fetching"
        VALIDATED = "validated"
        RENDERING = "rendering"
        PUBLISHED = "published"
        FAILED = "failed"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="images")
    # Names in storage begin with it: unlike the id, nobody can guess it.
    key = models.UUIDField(default=uuid4, unique=True, editable=False)
    title = models.CharField(max_length=200)
    source_url = models.CharField(max_length=2000, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    error = models.CharField(max_length=500, blank=True)
    original_name = models.CharField(max_length=200, blank=True)
    format = models.CharField(max_length=10, blank=True)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    bytes = models.PositiveBigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    received_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    # When every rendition was seen in storage, whole.
    stored_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["owner", "-id"], name="image_of_owner")]

    def __str__(self) -> str:
        return f"image {self.pk}"

    @property
    def is_over(self) -> bool:
        """Whether no step will move it any more."""
        return self.state in (self.State.PUBLISHED, self.State.FAILED)


class Rendition(models.Model):
    """An image in one size and format. Its row is written when its bytes are in storage."""

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="renditions")
    name = models.CharField(max_length=10)
    format = models.CharField(max_length=10)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    bytes = models.PositiveBigIntegerField()
    storage_name = models.CharField(max_length=200)
    took = models.DurationField()
    rendered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["width", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["image", "name", "format"], name="one_rendition_a_size_and_format")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.format}"

    @property
    def took_ms(self) -> int:
        """What rendering it took, in milliseconds: for people and for the API."""
        return round(self.took.total_seconds() * 1000)
