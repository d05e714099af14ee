"""Unique locks in the admin: which job keeps others from being enqueued, and a way to let them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from ..enqueue.models import OutboxMessage
from ..enqueue.unique_models import UniqueLock
from .read_only import ReadOnlyAdmin


@admin.register(UniqueLock)
class UniqueLockAdmin(ReadOnlyAdmin):
    """To look at; whoever may delete a lock may release it."""

    list_display = ["name", "arguments", "owner_link", "owner_state", "until", "taken_at", "expires_at"]
    list_display_links = ["arguments"]
    list_filter = ["until"]
    search_fields = ["=owner", "name", "arguments"]
    ordering = ["name", "arguments"]
    actions = ["release"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UniqueLock]:
        """Each with the state of its owner's job and, for the link, the row of it."""
        owners = OutboxMessage.objects.filter(task_id=OuterRef("owner"))
        locks: QuerySet[UniqueLock] = super().get_queryset(request)
        return locks.annotate(job_state=Subquery(owners.values("state")), job_row=Subquery(owners.values("pk")))

    @admin.display(description="owner")
    def owner_link(self, lock: UniqueLock) -> str:
        """The owner's task id, leading to its job."""
        row = getattr(lock, "job_row", None)
        if row is None:
            return lock.owner
        return format_html('<a href="{}">{}</a>', reverse("admin:tasks_outboxmessage_change", args=[row]), lock.owner)

    @admin.display(description="its job is")
    def owner_state(self, lock: UniqueLock) -> str:
        """How far the owner's job has come."""
        return getattr(lock, "job_state", None) or "gone: the lock is as good as free"

    def has_release_permission(self, request: HttpRequest) -> bool:
        """Asked by the admin for the action's sake."""
        return request.user.has_perm("tasks.delete_uniquelock")

    @admin.action(description="Release selected locks; their jobs go on", permissions=["release"])
    def release(self, request: HttpRequest, locks: QuerySet[UniqueLock]) -> None:
        """Delete the locks, and nothing else: from now on another job of the same kind may be enqueued."""
        self.log_deletions(request, locks)
        released, _ = UniqueLock.objects.filter(key__in=list(locks.values_list("key", flat=True))).delete()
        self.message_user(request, f"Released {released}. Their jobs go on; another of each kind may be enqueued now.")
