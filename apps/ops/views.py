"""Health for machines, and the same for people.

`/health/live`     this process answers (restart it when it doesn't)
`/health/ready`    it can do its work: database, migrations, broker (send it no requests while it can't)
`/health/workers`  each queue that tasks are routed to has a consumer, with its depth

A probe can't log in, so the three are open; they tell no addresses and no names of people.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tasks.operation.health import BrokerAway

from .selectors import Check, QueueStatus, queue_status_list, readiness_list


@login_not_required
@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers at all."""
    return JsonResponse({"ok": True})


@login_not_required
@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when database, migrations and broker are as they must be, else 503 with the reasons."""
    checks = readiness_list()
    ok = not any(check.problem for check in checks)
    body = {"ok": ok, "checks": {check.name: check.problem or "ok" for check in checks}}
    return JsonResponse(body, status=200 if ok else 503)


@login_not_required
@never_cache
@require_safe
def workers(request: HttpRequest) -> JsonResponse:
    """200 when each routed queue has a consumer, else 503 with the reasons."""
    queues, problem = _queues()
    problems = [problem] if problem else [queue.problem for queue in queues if queue.problem]
    body = {
        "ok": not problems,
        "problems": problems,
        "queues": {
            queue.name: {
                "depth": queue.depth,
                "consumers": None if queue.consumers is None else len(queue.consumers),
            }
            for queue in queues
        },
    }
    return JsonResponse(body, status=503 if problems else 200)


@staff_member_required
@require_safe
def operations(request: HttpRequest) -> HttpResponse:
    """The staff page: the same answers, and a way to Flower."""
    checks = readiness_list()
    queues, problem = _queues()
    if problem:
        checks.append(Check(name="workers", problem=problem))
    context = {"checks": checks, "queues": queues, "flower_url": settings.FLOWER_URL}
    return render(request, "ops/operations.html", context)


def _queues() -> tuple[list[QueueStatus], str]:
    try:
        return queue_status_list(), ""
    except BrokerAway as error:
        return [], str(error)
