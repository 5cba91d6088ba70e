"""Middleware for proxies, and for the headers and compression of pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware

from common.addresses import ADDRESSES_REMEMBERED, parse_address

logger = logging.getLogger(__name__)

FORWARDED_FOR = "HTTP_X_FORWARDED_FOR"
FORWARDED_PROTO = "HTTP_X_FORWARDED_PROTO"
SCHEMES = {"http", "https"}


class ForwardedHeaders:
    """X-Forwarded-For and -Proto of requests, which count if a proxy sent them."""

    def __init__(self) -> None:
        self._is_trusted = lru_cache(ADDRESSES_REMEMBERED)(_is_trusted)
        self._has_warned = False

    def resolve(self, meta: dict[str, Any]) -> None:
        """Set client and scheme of a request from the headers of TRUSTED_PROXIES.

        In a request from another address the two headers are removed, so that later
        code can trust them.
        """
        if settings.TRUSTED_PROXIES and self._is_trusted(meta.get("REMOTE_ADDR", "")):
            scheme = meta.get(FORWARDED_PROTO, "").strip().lower()
            if scheme in SCHEMES:
                meta["wsgi.url_scheme"] = scheme
            hops = meta.get(FORWARDED_FOR, "").split(",")
            meta["REMOTE_ADDR"] = self._client(reversed(hops)) or meta["REMOTE_ADDR"]
        elif FORWARDED_FOR in meta or FORWARDED_PROTO in meta:
            self._remove(meta)

    def _remove(self, meta: dict[str, Any]) -> None:
        """Remove both headers; warn once if TRUSTED_PROXIES may lack a proxy."""
        meta.pop(FORWARDED_FOR, None)
        meta.pop(FORWARDED_PROTO, None)
        if settings.TRUSTED_PROXIES or self._has_warned:
            return
        self._has_warned = True
        logger.warning(
            "A request from %s carries X-Forwarded-For or X-Forwarded-Proto, but "
            "TRUSTED_PROXIES is empty. If that is your proxy, add its address to "
            "TRUSTED_PROXIES: until then all its clients count as one address, and "
            "share the limits of webhooks and logins.",
            meta.get("REMOTE_ADDR") or "a socket",
        )

    def _client(self, hops: Iterable[str]) -> str:
        """Return the last address that is not a trusted proxy, or else the first one.

        The sender can invent everything before that address.
        """
        client = ""
        for hop in hops:
            address = parse_address(hop)
            if address is None:
                break
            client = str(address)
            if not self._is_trusted(client):
                break
        return client


def _is_trusted(address: str) -> bool:
    parsed = parse_address(address)
    return parsed is not None and any(
        parsed in network for network in settings.TRUSTED_PROXIES
    )


class ForwardedRequests:
    """Set client and scheme of each request as its proxy forwarded them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._headers = ForwardedHeaders()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        self._headers.resolve(request.META)
        return self._get_response(request)


ADMIN = "/admin/"

# Unfold and DRF write inline styles into their pages, but no inline scripts.
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
# Unfold uses Alpine, which compiles expressions in the pages.
_POLICY_OF_ADMIN = {**_POLICY, "script-src": "'self' 'unsafe-eval'"}


def _header(policy: dict[str, str]) -> str:
    return "; ".join(f"{name} {sources}" for name, sources in policy.items())


class ContentSecurityPolicy:
    """Set the policy that pages run only scripts from files of this site."""

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
    """Compress the pages of the admin, whose lists are hundreds of kilobytes of HTML.

    Other responses are not compressed: the compressed size can reveal a secret next to
    text that a caller chose. In these pages Django masks the CSRF tokens and adds
    random bytes.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not request.path_info.startswith(ADMIN):
            return response
        return super().process_response(request, response)
