"""The plain pages: place an order and watch it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from tasks import KeyConflict, KeyInProgress, idempotent
from tasks.enqueue.outbox import enqueue

from .errors import AmountOutOfRange
from .forms import OrderForm
from .pipelines import fulfilment
from .selectors import order_list
from .services.placing import order_place

PER_PAGE = 25


@require_http_methods(["GET", "POST"])
def order_index(request: HttpRequest) -> HttpResponse:
    """The orders the viewer may see, and the form for one more."""
    assert isinstance(request.user, User)  # noqa: S101 -- LoginRequiredMiddleware let them in
    form = OrderForm(request.POST or None, initial={"email": request.user.email})
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("orders:detail", _ordered(request.user, form.cleaned_data))
        except AmountOutOfRange as error:
            form.add_error(None, str(error))
        except KeyInProgress:
            form.add_error(None, "This order is being placed: reload the page to see it.")
        except KeyConflict:
            form.renew_key()
            form.add_error(None, "This form was sent before, with something else in it. Send it again to order more.")
    page = Paginator(order_list(viewer=request.user), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "orders/order_index.html", {"form": form, "page": page})


def _ordered(customer: User, form: Mapping[str, Any]) -> int:
    """Place the order and start its fulfilment, once for each form that was shown; return its id."""
    wanted = {name: form[name] for name in ("email", "quantities", "payment_method")}
    with idempotent(f"orders:form:{customer.pk}:{form['key']}", arguments=wanted) as effect:
        if not effect.replayed:
            order = order_place(customer=customer, **wanted)
            enqueue(fulfilment(order.pk))
            effect.result = order.pk
    return int(effect.result)


@require_safe
def order_detail(request: HttpRequest, order_id: int) -> HttpResponse:
    """One order: its state, its lines, and every attempt at each step."""
    order = get_object_or_404(order_list(viewer=request.user), pk=order_id)
    return render(request, "orders/order_detail.html", {"order": order, "steps": order.steps.all()})
