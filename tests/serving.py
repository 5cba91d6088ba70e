"""Requests through the WSGI application, with all that Django's test client leaves out.

The client keeps the test's database connection, whatever becomes of it.
"""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpResponse
from django.test import RequestFactory

from config.wsgi import application


def serve(
    path: str, body: bytes | None = None, *, method: str = "", **headers: str
) -> HttpResponse:
    """Send a request as the web server hands it over; return the whole answer."""
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
    """Stand for `start_response`: the status is read from the response itself."""
