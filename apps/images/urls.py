"""The pages of images."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "images"
urlpatterns = [
    path("", views.image_index, name="list"),
    path("<int:image_id>/", views.image_detail, name="detail"),
    path("<int:image_id>/<slug:name>.<slug:image_format>", views.rendition_file, name="rendition"),
]
