"""Requests written byte by byte, for those that a client library refuses to send."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from urllib.parse import urlsplit

from tests.acceptance.client import Answer

_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRequest:
    """A request with headers of any name and value, also with a wrong length."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    def encode(self) -> bytes:
        headers = {"Host": "127.0.0.1", "Connection": "close", **self.headers}
        if self.body or self.method == "POST":
            headers.setdefault("Content-Length", str(len(self.body)))
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""])
        return head.encode("utf-8", "surrogateescape") + self.body


def send_raw(url: str, request: bytes) -> Answer:
    """Send bytes on a new connection; return the first answer."""
    address = urlsplit(url)
    started = time.monotonic()
    target = (address.hostname or "", address.port or 80)
    with socket.create_connection(target, timeout=_TIMEOUT_SECONDS) as connection:
        connection.sendall(request)
        with HTTPResponse(connection) as response:
            response.begin()
            body = response.read()
    seconds = time.monotonic() - started
    return Answer(status=response.status, body=body, seconds=seconds)


def send_half_closed(url: str, request: bytes) -> bytes:
    """Send bytes, close the sending side, and return all that the server sends."""
    address = urlsplit(url)
    target = (address.hostname or "", address.port or 80)
    with socket.create_connection(target, timeout=_TIMEOUT_SECONDS) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()
