"""All routes. Every page asks for a login unless it says otherwise (LoginRequiredMiddleware); the API by `auth=`."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path
from django.views.generic import RedirectView

from project.api import api_urls

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="orders:list"), name="home"),
    path("login/", auth.LoginView.as_view(), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("orders/", include("apps.orders.urls")),
    path("notifications/", include("apps.notifications.urls")),
    path("images/", include("apps.images.urls")),
    path("reports/", include("apps.reports.urls")),
    path("supplier/", include("apps.integrations.urls")),
    path("ops/", include("apps.ops.urls")),
    path("health/", include("apps.ops.health_urls")),
    path("admin/", admin.site.urls),
    path("api/", api_urls()),
]
