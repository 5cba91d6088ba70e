"""Looking at the running site from outside."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 5


class SiteSilentError(RuntimeError):
    """The site did not answer, or not with JSON and 200."""


def is_ready(url: str) -> bool:
    """Tell whether the site at `url` says that it can work."""
    try:
        return _get(url, "/readyz").status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False


def fetch(url: str, path: str, *, token: str) -> dict[str, Any]:
    """Return the API's answer at `path`; raise `SiteSilentError` if there is none."""
    try:
        answer = _get(url, path, token=token)
        if answer.status != http.client.OK:
            raise SiteSilentError(f"{path} answered {answer.status}")
        content: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise SiteSilentError(f"{path} did not answer: {error}") from error
    return content


def _get(url: str, path: str, *, token: str = "") -> http.client.HTTPResponse:
    """Ask without the proxies that the environment may name."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS
    )
    headers = {"Authorization": f"Token {token}"} if token else {}
    connection.request("GET", path, headers={"Connection": "close", **headers})
    return connection.getresponse()
