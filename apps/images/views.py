"""The plain pages: send an image and watch it."""

from __future__ import annotations

import structlog
from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseNotFound
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from config.limits import IMAGE_MAX_BYTES, IMAGE_MAX_PIXELS

from .errors import FetchRefused, RenditionMissing, UploadTooLarge
from .forms import ImageForm
from .models import Image
from .reception import upload_receive, url_receive
from .renditions import CONTENT_TYPES
from .selectors import image_list, rendition_list

PER_PAGE = 24
logger = structlog.get_logger(__name__)


@require_http_methods(["GET", "POST"])
def image_index(request: HttpRequest) -> HttpResponse:
    """The images the viewer may see, and the form for one more."""
    form = ImageForm(request.POST, request.FILES) if request.method == "POST" else ImageForm()
    if form.is_valid() and (image := _received(request, form)):
        return redirect("images:detail", image.pk)
    page = Paginator(image_list(viewer=request.user), PER_PAGE).get_page(request.GET.get("page"))
    limits = {"max_bytes": IMAGE_MAX_BYTES, "max_pixels": IMAGE_MAX_PIXELS}
    return render(request, "images/image_index.html", {"form": form, "page": page, **limits})


def _received(request: HttpRequest, form: ImageForm) -> Image | None:
    """Take in what the form holds; None, and an error in the form, if it is refused."""
    assert isinstance(request.user, User)  # noqa: S101 -- LoginRequiredMiddleware let them in
    try:
        if file := form.cleaned_data["file"]:
            return upload_receive(owner=request.user, title=file.name or "", file=file)
        return url_receive(owner=request.user, url=form.cleaned_data["url"])
    except (UploadTooLarge, FetchRefused) as error:
        form.add_error(None, str(error))
        return None


@require_safe
def image_detail(request: HttpRequest, image_id: int) -> HttpResponse:
    """One image: its state, and its renditions or why there are none."""
    image = get_object_or_404(image_list(viewer=request.user), pk=image_id)
    return render(request, "images/image_detail.html", {"image": image})


@require_safe
def rendition_file(request: HttpRequest, image_id: int, name: str, image_format: str) -> HttpResponse | FileResponse:
    """A rendition's bytes. The original, a stranger's bytes, is never served."""
    rendition = get_object_or_404(
        rendition_list(viewer=request.user), image_id=image_id, name=name, format=image_format
    )
    try:
        file = storages["default"].open(rendition.storage_name)
    except FileNotFoundError:
        lost = RenditionMissing(rendition.storage_name, rendition.bytes)
        logger.warning("rendition_lost", image_id=image_id, name=rendition.storage_name)
        return HttpResponseNotFound(str(lost), content_type="text/plain; charset=utf-8")
    return FileResponse(
        file,
        content_type=CONTENT_TYPES[rendition.format],
        headers={"Cache-Control": "private, max-age=86400", "Content-Length": str(rendition.bytes)},
    )
