"""The pages of reports."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "reports"
urlpatterns = [
    path("", views.report_index, name="list"),
    path("<int:report_id>/", views.report_detail, name="detail"),
    path("<int:report_id>/sales.<str:kind>", views.report_file, name="file"),
]
