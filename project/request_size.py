"""Refuses a request that is too large before any of it is read."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

from config.limits import REQUEST_MAX_BYTES

STATUS_TOO_LARGE = 413


class RequestSizeMiddleware:
    """Answers 413 by Content-Length alone.

    Django parses a form's files before a view can look at their size, and the check for CSRF before that already
    does so, for anybody. A body without a Content-Length is not read at all under WSGI.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on what is small enough."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) <= REQUEST_MAX_BYTES:  # Django reads nothing of what isn't a number
            return self.get_response(request)
        sentence = f"The request is larger than {REQUEST_MAX_BYTES // 1024 // 1024} MB, the most that is accepted."
        return JsonResponse({"detail": sentence}, status=STATUS_TOO_LARGE)
