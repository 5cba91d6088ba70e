"""A closed loop of HTTP clients: each sends its next request when it has its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

import uvloop

CONNECTIONS = 16


class UnexpectedAnswer(Exception):
    """The server answered with another status than it should."""


def send_all(requests: Sequence[bytes], *, port: int, status: int = 200) -> float:
    """Send all requests over 16 connections that stay open; return the seconds taken.

    Raises UnexpectedAnswer at the first answer with another status.
    """
    return uvloop.run(_send_all(requests, port, status))


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


async def read_status(reader: asyncio.StreamReader, *, expected: int) -> None:
    """Read one answer to its end; raise UnexpectedAnswer if it is not as expected."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(_content_length(head))
    if not head.startswith(b"HTTP/1.1 %d " % expected):
        raise UnexpectedAnswer(f"{head[:40]!r} {body[:500]!r}")


async def _send_all(requests: Sequence[bytes], port: int, status: int) -> float:
    left = iter(requests)
    streams = [
        await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)
    ]
    started = time.perf_counter()
    try:
        async with asyncio.TaskGroup() as group:
            for reader, writer in streams:
                group.create_task(_send(left, reader, writer, status))
        return time.perf_counter() - started
    finally:
        for _, writer in streams:
            writer.close()
        closed = [writer.wait_closed() for _, writer in streams]
        await asyncio.gather(*closed, return_exceptions=True)


async def _send(
    left: Iterator[bytes],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    status: int,
) -> None:
    for request in left:
        writer.write(request)
        await read_status(reader, expected=status)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise UnexpectedAnswer(f"No Content-Length in {head[:500]!r}")
