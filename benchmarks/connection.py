from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class UnexpectedAnswer(Exception):
    """The server answered with an unexpected status, or not at all."""


class Connection(asyncio.Protocol):
    """One connection of HTTP/1.1, for one request at a time.

    It uses callbacks, not coroutines, because it shares the CPU with the server.
    """

    def __init__(self, *, status: int, fail: Callable[[Exception], None]) -> None:
        self._status = b"HTTP/1.1 %d " % status
        self._fail = fail
        self._received = b""
        self._answered: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # TCP reads and writes

    def send(self, request: bytes, answered: Callable[[], None]) -> None:
        """Send a request; call `answered` after the complete response."""
        self._answered = answered
        self._transport.write(request)

    def close(self) -> None:
        self._answered = None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head, end, body = received.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            self._received = received
            return
        self._received = b""
        if not head.startswith(self._status):
            self._fail(UnexpectedAnswer(f"{head[:40]!r} {body[:500]!r}"))
        elif self._answered is not None:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None:
            self._fail(UnexpectedAnswer("The connection ended before its answer"))


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0
