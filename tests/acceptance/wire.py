"""Connections on which a test chooses every byte and when it is sent."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    status: int
    headers: dict[str, str]


class Wire:
    """One connection to a web server."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection(
            (address.hostname, address.port), _TIMEOUT_SECONDS
        )
        self._read = self._socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._read.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def head(self) -> Head:
        """Return the next response's status and headers, with names in lower case."""
        status = int(self._read.readline().split()[1])
        headers = {}
        while line := self._read.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Head(status=status, headers=headers)

    def answer(self) -> tuple[Head, bytes]:
        head = self.head()
        return head, self._read.read(int(head.headers["content-length"]))

    def is_silent(self) -> bool:
        """Return whether the server has neither answered nor closed the connection."""
        return not select.select([self._socket], [], [], 0)[0]

    def is_closed(self) -> bool:
        """Return whether the server closes the connection without sending more."""
        try:
            return self._read.read(1) == b""
        except ConnectionResetError:  # the server closed it with unread bytes
            return True


@contextmanager
def wires(url: str, count: int) -> Iterator[list[Wire]]:
    made: list[Wire] = []
    try:
        for _ in range(count):
            made.append(Wire(url))  # noqa: PERF401 - all that were made are closed
        yield made
    finally:
        for wire in made:
            wire.__exit__(None, None, None)


def request(path: str, *headers: str, method: str = "POST") -> bytes:
    """Return a request's head."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
