"""`@idempotency_key_required` on plain Django views: what is stored, what isn't, and what a key looks like."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.template import engines
from django.template.response import TemplateResponse
from django.test import Client, override_settings
from django.urls import path

from tasks.errors import AnswerNotKept
from tasks.execution.http import ANSWER_MAX_BYTES, idempotency_key_required
from tasks.execution.http_key import IDEMPOTENCY_KEY, KEY_MAX, MalformedKey, key_read
from tasks.execution.models import LedgerEntry

pytestmark = pytest.mark.django_db(transaction=True)

Answering = Callable[[HttpRequest], HttpResponseBase]
answering: dict[str, Answering] = {}


@idempotency_key_required
def act(request: HttpRequest, number: int = 0) -> HttpResponseBase:
    """Write a row, and answer as the test says."""
    Group.objects.create(name=f"{number} {Group.objects.count()}")
    return answering["now"](request)


urlpatterns = [path("act/<int:number>/", act), path("act/", act)]


@pytest.fixture
def ada(client: Client) -> Client:
    """Somebody who is logged in, on a site that has one view."""
    client.force_login(User.objects.create(username="ada"))
    client.raise_request_exception = False
    answering["now"] = lambda _: HttpResponse("done", status=201)
    return client


@pytest.fixture(autouse=True)
def site() -> Any:
    with override_settings(ROOT_URLCONF=__name__):
        yield


def post(client: Client, where: str = "/act/", body: Any = b"body", *, key: str = "k", **options: Any) -> Any:
    options = {"content_type": "text/plain", **options}
    return client.post(where, body, headers={"Idempotency-Key": key}, **options)


def is_replayed(answer: Any) -> bool:
    return "Idempotency-Replayed" in answer.headers


@pytest.mark.parametrize(
    ("answer", "facts"),
    [
        (lambda _: HttpResponse("é", status=200), (200, "é".encode(), "text/html; charset=utf-8", None)),
        (lambda _: HttpResponse(b"\xff\x00", content_type="image/x"), (200, b"\xff\x00", "image/x", None)),
        (lambda _: HttpResponse(status=204), (204, b"", "text/html; charset=utf-8", None)),
        (lambda _: redirect("/there/"), (302, b"", "text/html; charset=utf-8", "/there/")),
        (
            lambda _: HttpResponse("no such thing", status=404),
            (404, b"no such thing", "text/html; charset=utf-8", None),
        ),
        (
            lambda request: TemplateResponse(request, engines["django"].from_string("to {{ name }}"), {"name": "you"}),
            (200, b"to you", "text/html; charset=utf-8", None),
        ),
    ],
    ids=["text", "bytes", "nothing", "redirect", "refusal", "template"],
)
def test_an_answer_is_given_again_as_it_was(ada: Client, answer: Answering, facts: tuple[Any, ...]) -> None:
    answering["now"] = answer
    first, second = post(ada), post(ada)
    status, content, kind, location = facts

    assert (is_replayed(first), is_replayed(second)) == (False, True)
    for each in (first, second):
        assert each.status_code == status
        assert each.content == content
        assert (each.headers["Content-Type"], each.headers.get("Location")) == (kind, location)
    assert Group.objects.count() == 1


def test_a_cookie_is_not_given_again(ada: Client) -> None:
    """It may be a login."""

    def with_cookie(_: HttpRequest) -> HttpResponse:
        response = HttpResponse("done")
        response.set_cookie("secret", "1")
        return response

    answering["now"] = with_cookie
    assert "secret" in post(ada).cookies
    assert "secret" not in post(ada).cookies


@pytest.mark.parametrize("status", [500, 503, 401, 403, 408, 409, 423, 425, 429])
def test_an_answer_that_says_nothing_of_the_request_consumes_no_key_and_keeps_no_row(ada: Client, status: int) -> None:
    """Sent again it may be answered otherwise; and then its effect must not be there twice."""
    answering["now"] = lambda _: HttpResponse(status=status)
    assert post(ada).status_code == status
    assert not Group.objects.exists()
    assert not LedgerEntry.objects.exists()

    answering["now"] = lambda _: HttpResponse(status=201)
    assert post(ada).status_code == 201
    assert Group.objects.count() == 1


def test_an_exception_consumes_no_key_and_keeps_no_row(ada: Client) -> None:
    def failing(_: HttpRequest) -> HttpResponse:
        raise RuntimeError

    answering["now"] = failing
    assert post(ada).status_code == 500
    assert not Group.objects.exists()
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda _: HttpResponse("x" * (ANSWER_MAX_BYTES + 1)), "takes 65537 bytes, more than 65536"),
        (lambda _: StreamingHttpResponse(["x"]), "streams"),
    ],
    ids=["large", "streaming"],
)
def test_an_answer_that_can_not_be_kept_is_a_mistake_that_leaves_nothing(
    ada: Client, answer: Answering, problem: str
) -> None:
    """Answering differently the second time would break the promise in silence."""
    answering["now"] = answer
    ada.raise_request_exception = True

    with pytest.raises(AnswerNotKept, match=problem):
        post(ada)
    assert not Group.objects.exists()


@pytest.mark.parametrize(
    "change",
    [{"body": b"other"}, {"where": "/act/?page=2"}, {"where": "/act/7/"}],
    ids=["body", "query", "path"],
)
def test_another_request_under_the_key_is_refused_or_another_route(ada: Client, change: dict[str, Any]) -> None:
    """The same route with another content is a mistake; another route has keys of its own."""
    post(ada)
    answer = post(ada, **change)

    assert answer.status_code == (201 if change.get("where") == "/act/7/" else 422)


def test_another_object_of_the_same_route_is_another_content(ada: Client) -> None:
    assert post(ada, "/act/1/").status_code == 201
    assert post(ada, "/act/2/").status_code == 422


def test_a_form_with_files_is_known_again_by_its_fields_and_files(ada: Client) -> None:
    """Its bytes differ each time, by the boundary between its parts."""

    def send(content: bytes = b"picture", caption: str = "c", name: str = "a.png") -> Any:
        file = SimpleUploadedFile(name, content)
        return ada.post("/act/", {"caption": caption, "file": file}, headers={"Idempotency-Key": "k"})

    assert not is_replayed(send())
    assert is_replayed(send())
    assert [send(b"other").status_code, send(caption="d").status_code, send(name="b.png").status_code] == [422] * 3


def test_without_a_login_there_are_no_keys(client: Client) -> None:
    """Those who are nobody would share them, and each other's answers."""
    answering["now"] = lambda _: HttpResponse()
    request = HttpRequest()
    request.method = "POST"
    request.user = AnonymousUser()

    assert act(request).status_code == 401
    assert not Group.objects.exists()


def test_an_async_view_is_refused_where_it_is_decorated() -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    with pytest.raises(TypeError, match="async"):
        idempotency_key_required(view)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ('"8e03978e-40d5-43e8-bc93-6894a57f9324"', "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        ("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        ('  "k"  ', "k"),
        (r'"a \"quoted\" \\ one"', r'a "quoted" \ one'),
        ('" !#[]~"', " !#[]~"),
        (f'"{"k" * KEY_MAX}"', "k" * KEY_MAX),
        ("!a:b/c~d+e=f*", "!a:b/c~d+e=f*"),
    ],
)
def test_a_key_is_a_string_of_rfc_8941_or_the_same_without_quotes(value: str, key: str) -> None:
    """Most clients send a bare UUID, which the RFC's tokens don't cover: it may begin with a digit."""
    assert key_read(value) == key


@pytest.mark.parametrize(
    "value",
    ["", '""', '"', '"a', 'a"', '"a"b', '"a", "b"', "a, b", "a,b", '"a";p=1', "a;p=1", '"\\n"', '"a\\"', "a b", "é",
     '"é"', '"\t"', "a\\b", f'"{"k" * (KEY_MAX + 1)}"', "k" * (KEY_MAX + 1), ":YQ==:\x7f"],
)  # fmt: skip
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(MalformedKey, match="The key must"):
        key_read(value)


def test_a_malformed_key_is_told_with_the_way_out(ada: Client) -> None:
    answer = post(ada, key='"a", "b"')

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["title"] == "Idempotency-Key is malformed"
    assert "in double quotes" in answer.json()["detail"]


def test_quoted_and_bare_it_is_the_same_key(ada: Client) -> None:
    """A client that adds the quotes in its next version still gets its answers."""
    assert not is_replayed(post(ada, key="k"))
    assert is_replayed(post(ada, key='"k"'))


@pytest.mark.parametrize("key", ['"k"', "k", '""', "a b", '"a";p=1', "k" * (KEY_MAX + 1)])
def test_the_documented_pattern_says_the_same_as_the_reader(key: str) -> None:
    (header,) = IDEMPOTENCY_KEY["parameters"]
    try:
        is_key = bool(key_read(key))
    except MalformedKey:
        is_key = False

    assert bool(re.fullmatch(header["schema"]["pattern"], key)) == is_key
