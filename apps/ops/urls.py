"""The staff page."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "ops"
urlpatterns = [path("", views.operations, name="operations")]
