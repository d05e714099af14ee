"""The HTTP API: one OpenAPI document out of the domains' routers, behind the session's login."""

from __future__ import annotations

from ninja import NinjaAPI
from ninja.security import django_auth

from apps.images.api import router as images
from apps.integrations.api import router as supplier
from apps.notifications.api import router as notifications
from apps.orders.api import router as orders
from apps.reports.api import router as reports

api = NinjaAPI(title="Rootstock", version="1", auth=django_auth, urls_namespace="api")
api.add_router("/images", images, tags=["images"])
api.add_router("/orders", orders, tags=["orders"])
api.add_router("/reports", reports, tags=["reports"])
api.add_router("/supplier", supplier, tags=["supplier"])
api.add_router("/notifications", notifications, tags=["notifications"])
