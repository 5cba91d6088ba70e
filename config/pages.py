"""What is added to pages for people; webhooks go past all of it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware

ADMIN = "/admin/"

# Unfold and DRF write styles into their pages; nothing writes scripts into them.
_POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
# Alpine, on which Unfold is built, compiles the expressions in its pages.
_POLICY_OF_ADMIN = {**_POLICY, "script-src": "'self' 'unsafe-eval'"}


def _header(policy: dict[str, str]) -> str:
    return "; ".join(f"{name} {sources}" for name, sources in policy.items())


class ContentSecurityPolicy:
    """Say on every page that scripts come from this site's own files alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._header = _header(_POLICY)
        self._header_of_admin = _header(_POLICY_OF_ADMIN)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        is_admin = request.path_info.startswith(ADMIN)
        header = self._header_of_admin if is_admin else self._header
        response.headers.setdefault("Content-Security-Policy", header)
        return response


class CompressedAdmin(GZipMiddleware):
    """Compress the admin's pages, whose lists are hundreds of kilobytes of HTML.

    Nothing else is: compression and a secret next to a caller's text can tell the
    secret. Django adds random bytes to these pages and masks their CSRF tokens.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not request.path_info.startswith(ADMIN):
            return response
        return super().process_response(request, response)
