"""The page: what the supplier offers and how the last runs went."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .selectors import offer_list, run_list

PER_PAGE = 50
RUNS_SHOWN = 12


@require_safe
@permission_required(["integrations.view_supplieroffer", "integrations.view_syncrun"], raise_exception=True)
def supplier(request: HttpRequest) -> HttpResponse:
    """Offers and runs."""
    page = Paginator(offer_list(), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "integrations/supplier.html", {"page": page, "runs": run_list()[:RUNS_SHOWN]})
