"""The HTTP API of images."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import File, Router, Schema, Status, UploadedFile
from ninja.pagination import paginate
from pydantic import Field, StringConstraints

from apps.pagination import BoundedPages

from .errors import FetchRefused, UploadTooLarge
from .models import Image, Rendition
from .reception import upload_receive, url_receive
from .selectors import image_list

router = Router()

ImageId = Annotated[int, Field(ge=1, le=2**63 - 1)]


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- the API's `auth=` let them in
    return request.user


class UrlIn(Schema):
    """Where to fetch an image from."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class RenditionOut(Schema):
    """An image in one size and format; `took_ms` is what rendering it took, in milliseconds."""

    name: str
    format: str
    width: int
    height: int
    bytes: int
    took_ms: int
    url: str

    @staticmethod
    def resolve_url(rendition: Rendition) -> str:
        """The page that serves it to whoever may see the image."""
        return reverse("images:rendition", args=[rendition.image_id, rendition.name, rendition.format])


class ImageOut(Schema):
    """An image and how far it has come. What is not known yet is empty."""

    id: int
    title: str
    state: str
    error: str
    source_url: str
    format: str
    width: int | None
    height: int | None
    bytes: int | None
    received_at: datetime
    published_at: datetime | None
    renditions: list[RenditionOut]


class Problem(Schema):
    """Why a request was refused."""

    detail: str


@router.post("", response={201: ImageOut, 413: Problem})
def upload(request: HttpRequest, file: File[UploadedFile]) -> Status[Image] | Status[dict[str, str]]:
    """Upload an image; it is checked and rendered afterwards."""
    try:
        return Status(201, upload_receive(owner=_user(request), title=file.name or "", file=file))
    except UploadTooLarge as error:
        return Status(413, {"detail": str(error)})


@router.post("/by-url", response={201: ImageOut, 422: Problem})
def by_url(request: HttpRequest, payload: UrlIn) -> Status[Image] | Status[dict[str, str]]:
    """Give a URL; the image is fetched, checked and rendered afterwards."""
    try:
        return Status(201, url_receive(owner=_user(request), url=payload.url))
    except FetchRefused as error:
        return Status(422, {"detail": str(error)})


@router.get("", response=list[ImageOut])
@paginate(BoundedPages, page_size=50)
def listing(request: HttpRequest) -> object:
    """The images you may see, newest first."""
    return image_list(viewer=request.user)


@router.get("/{image_id}", response={200: ImageOut, 404: Problem})
def one(request: HttpRequest, image_id: ImageId) -> Image:
    """One image."""
    return get_object_or_404(image_list(viewer=request.user), pk=image_id)
