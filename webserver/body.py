from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from webserver.limits import BodyIncomplete, Limits, RequestTooSlow
from webserver.room import Place

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]

_LINGER_SECONDS = 1
_LINGER_BYTES = 4 * 1024 * 1024


async def read_body(
    scope: Scope, receive: Receive, *, limits: Limits, place: Place
) -> bytes:
    """Return the whole body.

    Raises ServerBusy, RequestTooSlow, BodyIncomplete or what `limits` knows, and reads
    no further then.
    """
    announced = announced_length(scope)
    if announced == 0:
        return b""
    path: str = scope["path"]
    limit = limits.body_bytes(path)
    if announced is not None and announced > limit:
        raise limits.too_large(path)
    try:
        async with asyncio.timeout(limits.body_seconds):
            body = await _read(receive, limit, place)
    except TimeoutError as error:
        raise RequestTooSlow(seconds=limits.body_seconds) from error
    if body is None:
        raise limits.too_large(path)
    if announced is not None and len(body) < announced:
        raise BodyIncomplete
    return body


def announced_length(scope: Scope) -> int | None:
    """Return the body's length; None if only its end will tell."""
    is_open_ended = scope["http_version"] not in {"1", "1.0", "1.1"}
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None if is_open_ended else 0


async def discard_some(receive: Receive) -> None:
    """Read on for a moment after an early answer.

    A connection that is closed while its sender still writes is reset, and the answer
    is lost with it.
    """
    left = _LINGER_BYTES
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while left > 0:
                message = await receive()
                if not message.get("more_body"):
                    return
                left -= len(message["body"])
    except TimeoutError:
        return


async def _read(receive: Receive, limit: int, place: Place) -> bytes | None:
    """Return the body; None if it is larger than the limit."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BodyIncomplete
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limit:
            return None
        place.grow(size)
        pieces.append(piece)
        if not message.get("more_body"):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
