"""Lets pages of listed origins call an endpoint (CORS, https://fetch.spec.whatwg.org).

An answer never allows credentials: a page cannot send the cookies of a person.
"""

from __future__ import annotations

import re

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from webhooks.receiver.request import WebhookRequest

PREFLIGHT_SECONDS = 600
# What a page can read of an answer, besides the headers that it always can.
EXPOSED = "Retry-After, Preference-Applied"
PREFLIGHT_VARIES = (
    "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers",
)  # fmt: skip
_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")


def is_preflight(request: WebhookRequest) -> bool:
    """Return whether a browser asks if a page may send a request here."""
    return bool(
        _origins(request)
        and request.headers.get("origin")
        and request.headers.get("access-control-request-method")
    )


def answer_preflight(request: WebhookRequest) -> HttpResponse:
    """Return what a page of a listed origin may send; nothing for other origins."""
    response = HttpResponse(status=204)
    patch_vary_headers(response, PREFLIGHT_VARIES)
    if not _is_listed(request):
        return response
    methods = request.endpoint.allowed_methods
    response["Access-Control-Allow-Methods"] = ", ".join(methods)
    wanted = request.headers.get("access-control-request-headers", "")
    if _HEADER_NAMES.fullmatch(wanted):
        response["Access-Control-Allow-Headers"] = wanted
    response["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    return response


def allow_origin(response: HttpResponseBase, request: WebhookRequest) -> None:
    """Let a page of a listed origin read the answer, also if it is a refusal."""
    if not _origins(request):
        return
    patch_vary_headers(response, ("Origin",))
    if _is_listed(request):
        response["Access-Control-Allow-Origin"] = request.headers["origin"]
        response["Access-Control-Expose-Headers"] = EXPOSED


def _origins(request: WebhookRequest) -> list[str]:
    cors = request.endpoint.validation_rules.get("cors")
    origins: list[str] = cors["origins"] if cors else []
    return origins


def _is_listed(request: WebhookRequest) -> bool:
    return request.headers.get("origin") in _origins(request)
