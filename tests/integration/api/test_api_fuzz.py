"""The whole API, asked everything that its OpenAPI document allows and much that it doesn't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client
from hypothesis import HealthCheck, settings
from pytest_django import Settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from project.api import api
from project.wsgi import application
from tests import shop

EXAMPLES = 25

# What any operation may answer, which its declaration needn't repeat: the request can't be read, nobody is logged in,
# there is no such route or method, the body is of another type than the declared one.
UNIVERSAL = {400, 401, 404, 405, 422}

schema = schemathesis.openapi.from_dict(api.get_openapi_schema())
schema.config.phases.coverage.enabled = False
CHECKS: list[CheckFunction] = [content_type_conformance, response_schema_conformance]


@pytest.fixture
def visitor(
    transactional_db: None, settings: Settings, tmp_path: Path, clean_broker: str, clean_cache: str
) -> dict[str, Any]:
    """Somebody who is logged in and may see everything, in a shop with an order; their headers and cookies."""
    settings.MEDIA_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "project.storage.AtomicFileSystemStorage", "OPTIONS": {"location": str(tmp_path)}},
    }
    shop.placed()
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    token = _get_new_csrf_string()
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    return {"headers": {"X-CSRFToken": token}, "cookies": {**cookies, django_settings.CSRF_COOKIE_NAME: token}}


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)
def test_no_request_gets_an_answer_that_is_not_declared(case: schemathesis.Case[Any], visitor: dict[str, Any]) -> None:
    """Above all no 5xx: whatever a client sends is the client's mistake, and is told so."""
    response = case.call(app=application, **visitor)

    declared = {int(status) for status in case.operation.definition.raw["responses"]}
    assert response.status_code in declared | UNIVERSAL, response.text[:500]
    if response.status_code in declared:
        case.validate_response(response, checks=CHECKS)


def test_the_document_is_for_those_who_are_logged_in(client: Client, admin_client: Client) -> None:
    """It tells strangers what there is to try."""
    assert client.get("/api/openapi.json").status_code == 302
    assert client.get("/api/docs").status_code == 302
    assert admin_client.get("/api/openapi.json").json()["paths"].keys() == api.get_openapi_schema()["paths"].keys()


@pytest.mark.django_db
def test_every_operation_asks_for_a_login(client: Client, subtests: pytest.Subtests) -> None:
    """A route that was added without `auth` would be open to anybody."""
    for path, operations in api.get_openapi_schema()["paths"].items():
        for method in operations:
            with subtests.test(f"{method} {path}"):
                address = path.replace("{", "").replace("}", "").replace("_id", "").rstrip("/")
                address = "/".join("1" if part in ("image", "order", "report") else part for part in address.split("/"))
                assert getattr(client, method)(address, content_type="application/json").status_code == 401
