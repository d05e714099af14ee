"""The HTTP API: one OpenAPI document out of the domains' routers, behind the session's login."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from ninja import NinjaAPI
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


def api_urls() -> tuple[Any, ...]:
    """The routes, out of LoginRequiredMiddleware's hands: `auth=` answers a program 401 instead of a login form."""
    routes, *names = api.urls
    for route in routes:
        view: Any = route.callback
        view.login_required = False
    return routes, *names
