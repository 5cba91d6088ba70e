"""Requests through the WSGI application, with the signals of a real request.

Unlike here, Django's test client keeps the test's database connection open, even if it
is broken.
"""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpResponse
from django.test import RequestFactory

from config.wsgi import application


def serve(
    path: str, body: bytes | None = None, *, method: str = "", **headers: str
) -> HttpResponse:
    """Send a request as the web server passes it on; return the whole response."""
    content_type = headers.pop("content_type", "application/json")
    request = RequestFactory().generic(
        method or ("GET" if body is None else "POST"),
        path,
        body or b"",
        content_type,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    response: Any = application(request.environ, _ignore)
    response.close()
    return cast("HttpResponse", response)  # what Django's handler returns


def _ignore(*_: object) -> Any:
    """Replace `start_response`: the status is read from the response itself."""
