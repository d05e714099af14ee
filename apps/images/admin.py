"""Images in the admin: to look at; what happens to them is the pipeline's."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from .models import Image, Rendition


class RenditionInline(admin.TabularInline[Rendition, Image]):
    """An image's renditions, read only."""

    model = Rendition
    extra = 0
    can_delete = False
    readonly_fields = ["rendered_at"]

    def has_add_permission(self, request: HttpRequest, obj: Image | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Image | None = None) -> bool:
        return False


@admin.register(Image)
class ImageAdmin(admin.ModelAdmin[Image]):
    """Images, read only: deleting a row here would leave its bytes in storage."""

    list_display = ["id", "owner", "title", "state", "format", "width", "height", "received_at", "error"]
    list_filter = ["state", "format"]
    list_select_related = ["owner"]
    search_fields = ["=id", "title", "sha256", "source_url"]
    date_hierarchy = "received_at"
    inlines = [RenditionInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Image | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Image | None = None) -> bool:
        return False


@admin.register(Rendition)
class RenditionAdmin(admin.ModelAdmin[Rendition]):
    """Renditions, read only."""

    list_display = ["image", "name", "format", "width", "height", "bytes", "took", "rendered_at"]
    list_filter = ["name", "format"]
    list_select_related = ["image"]
    search_fields = ["=image__id", "storage_name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Rendition | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Rendition | None = None) -> bool:
        return False
