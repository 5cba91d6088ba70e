from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from config.logins.throttle import LoginThrottled


class ThrottledLogins:
    """Answer a login that came too soon with 429 and a page that says when to retry."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        if not isinstance(exception, LoginThrottled):
            return None
        seconds = exception.retry_after_seconds
        context = {"seconds": seconds, "page": request.get_full_path()}
        response = render(request, "login_throttled.html", context, status=429)
        response["Retry-After"] = str(seconds)
        return response
