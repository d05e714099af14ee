"""The pages of orders."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "orders"
urlpatterns = [
    path("", views.order_index, name="list"),
    path("<int:order_id>/", views.order_detail, name="detail"),
]
