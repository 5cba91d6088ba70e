"""A closed loop of HTTP clients: each sends a request after the last response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import uvloop

from benchmarks.connection import Connection, UnexpectedAnswer

__all__ = ["CONNECTIONS", "UnexpectedAnswer", "build_request", "send_all"]

CONNECTIONS = 16


def send_all(
    requests: Sequence[bytes],
    *,
    port: int,
    status: int = 200,
    connections: int = CONNECTIONS,
) -> float:
    """Send all requests over connections that stay open; return the seconds taken.

    Raises UnexpectedAnswer at the first answer with another status.
    """
    return uvloop.run(_send_all(requests, port, status, connections))


def build_request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: forge-hookshot/1",
        "Accept: */*",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _send_all(
    requests: Sequence[bytes], port: int, status: int, count: int
) -> float:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    left, unanswered = iter(requests), len(requests)

    def fail(error: Exception) -> None:
        if not done.done():
            done.set_exception(error)

    def send_next(connection: Connection) -> None:
        if (request := next(left, None)) is not None:
            connection.send(request, partial(answered, connection))

    def answered(connection: Connection) -> None:
        nonlocal unanswered
        unanswered -= 1
        if unanswered == 0 and not done.done():
            done.set_result(None)
        send_next(connection)

    connections = [
        (
            await loop.create_connection(
                lambda: Connection(status=status, fail=fail), "127.0.0.1", port
            )
        )[1]
        for _ in range(count)
    ]
    started = time.perf_counter()
    try:
        for connection in connections:
            send_next(connection)
        await done
        return time.perf_counter() - started
    finally:
        for connection in connections:
            connection.close()
