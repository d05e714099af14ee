"""The plain pages: place an order and watch it."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

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
            with transaction.atomic():
                order = order_place(
                    customer=request.user,
                    email=form.cleaned_data["email"],
                    quantities=form.cleaned_data["quantities"],
                    payment_method=form.cleaned_data["payment_method"],
                )
                enqueue(fulfilment(order.pk))
        except AmountOutOfRange as error:
            form.add_error(None, str(error))
        else:
            return redirect("orders:detail", order.pk)
    page = Paginator(order_list(viewer=request.user), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "orders/order_index.html", {"form": form, "page": page})


@require_safe
def order_detail(request: HttpRequest, order_id: int) -> HttpResponse:
    """One order: its state, its lines, and every attempt at each step."""
    order = get_object_or_404(order_list(viewer=request.user), pk=order_id)
    return render(request, "orders/order_detail.html", {"order": order, "steps": order.steps.all()})
