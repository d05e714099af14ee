"""Reading images."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet

from .models import Image, Rendition


def image_list(*, viewer: AbstractBaseUser | AnonymousUser) -> QuerySet[Image]:
    """The images that *viewer* may see, newest first: their own, or all with the permission to view images."""
    images = Image.objects.prefetch_related("renditions")
    if isinstance(viewer, User) and viewer.has_perm("images.view_image"):
        return images
    return images.filter(owner=viewer.pk) if viewer.pk else images.none()


def rendition_list(*, viewer: AbstractBaseUser | AnonymousUser) -> QuerySet[Rendition]:
    """The renditions that *viewer* may see: those of published images that they may see."""
    return Rendition.objects.filter(
        image__in=image_list(viewer=viewer).filter(state=Image.State.PUBLISHED).prefetch_related(None)
    )
