"""The HTTP API: one OpenAPI document out of the domains' routers, behind the session's login."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.security import django_auth

from apps.images.api import router as images
from apps.integrations.api import router as supplier
from apps.notifications.api import router as notifications
from apps.orders.api import router as orders
from apps.reports.api import router as reports

api = NinjaAPI(title="Rootstock", version="1", auth=django_auth, urls_namespace="api", docs_decorator=login_required)
api.add_router("/images", images, tags=["images"])
api.add_router("/orders", orders, tags=["orders"])
api.add_router("/reports", reports, tags=["reports"])
api.add_router("/supplier", supplier, tags=["supplier"])
api.add_router("/notifications", notifications, tags=["notifications"])


@api.exception_handler(ValidationError)
def refuse(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """422 with a sentence, in the same form as the operations' own refusals, which is the one they declare."""
    return api.create_response(request, {"detail": "; ".join(map(_sentence, error.errors))}, status=422)


def _sentence(problem: dict[str, Any]) -> str:
    """Where it is, as the client sees it, and what is wrong. A body's place begins with the view's own parameter."""
    source, *place = problem["loc"]
    named = place[1:] if source == "body" else place
    return f"{'.'.join(map(str, named)) or source}: {problem['msg']}"


def api_urls() -> tuple[Any, ...]:
    """The routes, out of LoginRequiredMiddleware's hands: `auth=` answers a program 401 instead of a login form."""
    routes, *names = api.urls
    for route in routes:
        view: Any = route.callback
        view.login_required = False
    return routes, *names
