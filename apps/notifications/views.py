"""The pages: reminders and the newsletter for whoever is logged in; leaving the newsletter for anybody with a link."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from .errors import DueOutOfRange, NoAddress, TokenInvalid
from .forms import ReminderForm
from .selectors import reminder_list, subscription_active
from .services.reminding import reminder_create
from .services.subscriptions import subscription_end, subscription_start, unsubscribe_token_read

SHOWN_AT_MOST = 100


@require_http_methods(["GET", "POST"])
def notification_index(request: HttpRequest) -> HttpResponse:
    """Your reminders, the form for one more, and your subscription."""
    assert isinstance(request.user, User)  # noqa: S101 -- LoginRequiredMiddleware let them in
    form = ReminderForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            reminder_create(user=request.user, text=form.cleaned_data["text"], due_at=form.cleaned_data["due_at"])
        except (NoAddress, DueOutOfRange) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Noted.")
            return redirect("notifications:list")
    context = {
        "form": form,
        "reminders": reminder_list(user=request.user)[:SHOWN_AT_MOST],
        "subscribed": subscription_active(user_id=request.user.pk),
        "time_zone": timezone.get_current_timezone_name(),
    }
    return render(request, "notifications/notification_index.html", context)


@require_POST
def subscription_change(request: HttpRequest) -> HttpResponse:
    """Start or end the newsletter for whoever is logged in."""
    assert isinstance(request.user, User)  # noqa: S101 -- LoginRequiredMiddleware let them in
    change = subscription_start if request.POST.get("active") == "yes" else subscription_end
    change(user_id=request.user.pk)
    return redirect("notifications:list")


@csrf_exempt  # the token in the URL is the authority, and mail programs POST without a form (RFC 8058)
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, since mail scanners follow links, and end the subscription on POST."""
    try:
        user_id = unsubscribe_token_read(token=token)
    except TokenInvalid as error:
        return render(request, "notifications/unsubscribe.html", {"problem": str(error)}, status=404)
    if request.method == "POST":
        subscription_end(user_id=user_id)
    return render(request, "notifications/unsubscribe.html", {"ended": not subscription_active(user_id=user_id)})
