"""Notifications in the admin: newsletters are written and released here, and accounts are welcomed.

Accounts are made in the admin, so this is where the welcome is asked for. Code that makes accounts in another way
calls `welcome_request` itself; nothing listens to `User.save`, which also runs for commands, fixtures and tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from .models import Newsletter, NewsletterCopy, Reminder, Subscription, Welcome
from .selectors import newsletter_list
from .services.newsletters import newsletter_release
from .services.welcoming import welcome_request

if TYPE_CHECKING:
    from .selectors import CountedNewsletter

admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin[User]):
    """Django's own, with the address asked for at once; who has one gets a welcome mail."""

    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "usable_password", "password1", "password2")}),
    )

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change and obj.email:
            welcome_request(user=obj)


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """To look at, and to delete; what happens to the rows is the tasks'."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Welcome)
class WelcomeAdmin(ReadOnlyAdmin):
    """Who was welcomed."""

    list_display = ["user", "requested_at", "sent_at", "refusal"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email"]


@admin.register(Reminder)
class ReminderAdmin(ReadOnlyAdmin):
    """Everybody's reminders."""

    list_display = ["user", "text", "due_at", "sent_at", "refusal"]
    list_select_related = ["user"]
    search_fields = ["user__username", "text"]
    date_hierarchy = "due_at"


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Who gets newsletters. People subscribe themselves."""

    list_display = ["user", "started_at", "ended_at"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email"]


@admin.register(NewsletterCopy)
class NewsletterCopyAdmin(ReadOnlyAdmin):
    """Each subscriber's copy."""

    list_display = ["newsletter", "user", "sent_at", "refusal"]
    list_select_related = ["newsletter", "user"]
    list_filter = ["newsletter"]
    search_fields = ["user__username", "user__email"]


@admin.register(Newsletter)
class NewsletterAdmin(admin.ModelAdmin[Newsletter]):
    """Newsletters. One that was released can't be changed: some have read it."""

    list_display = ["subject", "written_at", "released_at", "sent", "waiting", "refused"]
    readonly_fields = ["released_at"]
    actions = ["release"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Newsletter]:
        return newsletter_list()

    def has_change_permission(self, request: HttpRequest, obj: Newsletter | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.released_at is None)

    @admin.action(description="Send to those who have not got it", permissions=["change"])
    def release(self, request: HttpRequest, queryset: QuerySet[Newsletter]) -> None:
        """Send the chosen newsletters; those sent before go to whom they have not reached."""
        for newsletter_id in queryset.values_list("pk", flat=True):
            newsletter_release(newsletter_id=newsletter_id)
        messages.success(request, "On their way. The counts here grow as the copies go out.")

    @admin.display(description="sent")
    def sent(self, newsletter: CountedNewsletter) -> int:
        return newsletter.copies_sent

    @admin.display(description="waiting")
    def waiting(self, newsletter: CountedNewsletter) -> int:
        return newsletter.copies_waiting

    @admin.display(description="refused")
    def refused(self, newsletter: CountedNewsletter) -> int:
        return newsletter.copies_refused
