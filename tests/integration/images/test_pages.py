"""The pages and the API of images: who may do what, and what a wrong request gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.images.models import Image
from apps.images.renditions import SIZES
from apps.images.services.originals import original_validate
from apps.images.services.publishing import image_fail, image_publish
from apps.images.services.rendering import rendition_make
from apps.images.services.storing import stored_delete
from config.limits import IMAGE_MAX_BYTES, REQUEST_MAX_BYTES
from tests.integration.images.drawing import PHOTOS, decoded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("files", "clean_broker")]

PHOTO = PHOTOS / "rocket.jpg"


@pytest.fixture
def client(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def stranger() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("eve"))
    return client


@pytest.fixture
def image(received: Callable[[bytes], Image]) -> Image:
    """Published."""
    image = received(PHOTO.read_bytes())
    original_validate(image_id=image.pk)
    for size in SIZES:
        rendition_make(image_id=image.pk, size=size)
    image_publish(image_id=image.pk)
    return image


def photo(name: str = "rocket.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, PHOTO.read_bytes(), content_type="image/jpeg")


def test_a_photo_is_uploaded_by_the_page_and_watched(client: Client) -> None:
    """The way of a person: the form, then a page that refreshes itself until the image is ready."""
    answer = client.post("/images/", {"file": photo(), "url": ""}, follow=True)
    image = Image.objects.get()
    assert answer.redirect_chain == [(f"/images/{image.pk}/", 302)]
    page = answer.content.decode()
    assert "rocket.jpg" in page
    assert "Received" in page
    assert 'http-equiv="refresh"' in page


def test_a_published_image_is_shown_with_all_its_renditions(client: Client, image: Image) -> None:
    """And the page stops refreshing itself."""
    page = client.get(f"/images/{image.pk}/").content.decode()
    assert "refresh" not in page
    for rendition in image.renditions.all():
        url = f"/images/{image.pk}/{rendition.name}.{rendition.format}"
        assert url in page
        answer = client.get(url)
        assert answer["Content-Type"] == f"image/{rendition.format}"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "private" in answer["Cache-Control"]
        content = answer.getvalue()
        assert len(content) == rendition.bytes == int(answer["Content-Length"])
        assert decoded(content).width == rendition.width


def test_a_failed_image_says_why(client: Client, received: Callable[[bytes], Image]) -> None:
    """In a sentence, and escaped: parts of it come from strangers."""
    image = received(b"x")
    image_fail(image_id=image.pk, reason="This <b>file</b> can't be used.")
    page = client.get(f"/images/{image.pk}/").content.decode()
    assert "This &lt;b&gt;file&lt;/b&gt; can&#x27;t be used." in page
    assert "refresh" not in page
    assert client.get(f"/api/images/{image.pk}").json()["error"] == "This <b>file</b> can't be used."


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "one of the two"),
        ({"file": True, "url": "https://pictures.example/a.png"}, "one of the two"),
        ({"url": "ftp://pictures.example/"}, "only http:// and https:// URLs are fetched"),
    ],
)
def test_a_form_that_makes_no_sense_is_shown_again_with_a_sentence(
    client: Client, sent: dict[str, Any], sentence: str
) -> None:
    """Nothing is taken in."""
    if sent.get("file"):
        sent = {**sent, "file": photo()}
    answer = client.post("/images/", sent)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert not Image.objects.exists()


def test_the_api_takes_a_file_and_a_url(client: Client) -> None:
    """Both answer with the image as it is now."""
    uploaded = client.post("/api/images", {"file": photo()})
    assert uploaded.status_code == 201
    assert uploaded.json()["state"] == "received"
    by_url = client.post(
        "/api/images/by-url", {"url": "https://pictures.example/a.png"}, content_type="application/json"
    )
    assert by_url.status_code == 201
    assert by_url.json()["source_url"] == "https://pictures.example/a.png"
    listing = client.get("/api/images").json()
    assert [entry["id"] for entry in listing["items"]] == [by_url.json()["id"], uploaded.json()["id"]]
    assert client.get("/api/images?page=2").json()["items"] == []


def test_the_api_tells_each_rendition(client: Client, image: Image) -> None:
    """With the address that serves it."""
    answer = client.get(f"/api/images/{image.pk}").json()
    assert answer["state"] == "published"
    assert {entry["name"] for entry in answer["renditions"]} == set(SIZES)
    for entry in answer["renditions"]:
        assert client.get(entry["url"]).status_code == 200
        assert entry["took_ms"] >= 0


def test_a_url_that_will_not_be_fetched_is_a_422(client: Client) -> None:
    """With the sentence that the page would show."""
    answer = client.post("/api/images/by-url", {"url": "file:///etc/passwd"}, content_type="application/json")
    assert answer.status_code == 422
    assert "only http://" in answer.json()["detail"]


@pytest.mark.parametrize("url", ["http://xn--a/", "http://xn--zz--/x.png", "http://xn--/"])
def test_a_name_that_no_idn_can_mean_is_refused(client: Client, url: str) -> None:
    """It looks like one, and can't be decoded."""
    answer = client.post("/api/images/by-url", {"url": url}, content_type="application/json")
    assert answer.status_code == 422
    assert "not a valid URL" in answer.json()["detail"]
    assert "not a valid URL" in client.post("/images/", {"url": url}).content.decode()
    assert not Image.objects.exists()


def test_a_file_past_the_limit_is_a_413(client: Client) -> None:
    """By the file's size where the request around it may still be read."""
    file = SimpleUploadedFile("large.png", b"x" * (IMAGE_MAX_BYTES + 1))
    answer = client.post("/api/images", {"file": file})
    assert answer.status_code == 413
    assert "25 MB" in answer.json()["detail"]
    assert not Image.objects.exists()


@pytest.mark.parametrize("path", ["/api/images", "/images/", "/login/", "/admin/login/"])
def test_a_request_past_the_limit_is_refused_unread_even_from_nobody(path: str) -> None:
    """Checking CSRF alone would read the body to the end, into temporary files, for anybody."""

    class Unreadable:
        def read(self, *_: int) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    answer = Client().post(
        path,
        content_type="multipart/form-data; boundary=x",
        **{"CONTENT_LENGTH": str(REQUEST_MAX_BYTES + 1), "wsgi.input": Unreadable()},  # type: ignore[arg-type]
    )
    assert answer.status_code == 413


def test_another_persons_image_does_not_exist(image: Image, stranger: Client) -> None:
    """Not even that it is there may be learned by counting up the ids."""
    for path in (f"/images/{image.pk}/", f"/images/{image.pk}/thumb.jpeg", f"/api/images/{image.pk}"):
        assert stranger.get(path).status_code == 404
    assert stranger.get("/api/images").json()["items"] == []
    assert "a photo" not in stranger.get("/images/").content.decode()


def test_whoever_may_view_images_sees_everybodys(image: Image, stranger: Client) -> None:
    """By Django's own permission, which staff get in the admin."""
    User.objects.get(username="eve").user_permissions.add(Permission.objects.get(codename="view_image"))
    for path in (f"/images/{image.pk}/", f"/images/{image.pk}/thumb.jpeg", f"/api/images/{image.pk}"):
        assert stranger.get(path).status_code == 200


def test_nobody_gets_anything_without_logging_in(image: Image) -> None:
    """Pages send to the login, the API says so."""
    client = Client()
    for path in ("/images/", f"/images/{image.pk}/", f"/images/{image.pk}/thumb.jpeg"):
        assert client.get(path).status_code == 302
    for answer in (
        client.get("/api/images"),
        client.get(f"/api/images/{image.pk}"),
        client.post("/api/images", {"file": photo()}),
        client.post("/api/images/by-url", {"url": "https://x.example/"}, content_type="application/json"),
    ):
        assert answer.status_code == 401


def test_another_site_can_not_upload_in_a_visitors_name(owner: User) -> None:
    """CSRF is checked on the page and on the API."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    assert client.post("/images/", {"file": photo()}).status_code == 403
    assert client.post("/api/images", {"file": photo()}).status_code == 403
    assert not Image.objects.exists()


def test_neither_the_original_nor_an_unpublished_rendition_is_served(
    client: Client, received: Callable[[bytes], Image]
) -> None:
    """The original is a stranger's bytes; a rendition without the others may be about to fail."""
    image = received(PHOTO.read_bytes())
    original_validate(image_id=image.pk)
    rendition_make(image_id=image.pk, size="thumb")
    assert client.get(f"/images/{image.pk}/thumb.jpeg").status_code == 404
    assert client.get(f"/images/{image.pk}/original").status_code == 404
    assert client.get(f"/images/{image.pk}/original.jpeg").status_code == 404


def test_the_admin_shows_images_and_changes_none(image: Image) -> None:
    """What happens to an image is the pipeline's."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    for path in ("/admin/images/image/", f"/admin/images/image/{image.pk}/change/", "/admin/images/rendition/"):
        assert client.get(path).status_code == 200
    assert client.get("/admin/images/image/add/").status_code == 403
    assert client.post(f"/admin/images/image/{image.pk}/delete/", {"post": "yes"}).status_code == 403


def test_odd_numbers_in_addresses_are_not_found(client: Client) -> None:
    """And no crash of the database."""
    for number in ("0", "99999999999999999999999"):
        assert client.get(f"/images/{number}/").status_code == 404
        assert client.get(f"/images/{number}/thumb.jpeg").status_code == 404
        assert client.get(f"/api/images/{number}").status_code in {404, 422}


def test_a_rendition_that_is_gone_from_storage_is_not_found(client: Client, image: Image) -> None:
    """A page shows it as a picture, so the answer is no other page; opened by itself it says what to do."""
    lost = image.renditions.filter(format="jpeg").first()
    assert lost is not None
    stored_delete(name=lost.storage_name)
    answer = client.get(f"/images/{image.pk}/{lost.name}.{lost.format}")

    assert answer.status_code == 404
    assert "lost in storage. Send the image again" in answer.content.decode()
    assert "Cache-Control" not in answer.headers


def test_the_storage_of_files_is_not_reachable_by_a_url(client: Client, image: Image, files: Path) -> None:
    """Every file goes through a page that asks who is there."""
    name = image.renditions.first()
    assert name
    assert (files / name.storage_name).exists()
    assert client.get(f"/media/{name.storage_name}").status_code == 404
