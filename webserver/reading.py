"""Checks the head of a request and reads its body, before the application runs.

A proxy in front of this server may read an ambiguous head in another way: what one of
the two takes for the body, the other could take for a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from common.errors import InvalidInput, TickhookError
from webserver.limits import (
    BodyIncomplete,
    RequestClass,
    RequestTooSlow,
    Scope,
    Slot,
)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]

MAX_HEADERS = 100
MAX_HEAD_BYTES = 64 * 1024
_LINGER_SECONDS = 1
_LINGER_BYTES = 4 * 1024 * 1024


class HeadTooLarge(TickhookError):
    """The request has more headers, or larger ones, than the server accepts."""

    code = "headers_too_large"
    http_status = 431


class MalformedHead(InvalidInput):
    """The headers of the request contradict each other, or HTTP does not allow them."""

    code = "malformed_headers"


def check_head(scope: Scope) -> None:
    """Raise HeadTooLarge or MalformedHead unless the head is small and unambiguous."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if len(headers) > MAX_HEADERS:
        raise HeadTooLarge(
            f"The request has {len(headers):,} headers; "
            f"at most {MAX_HEADERS} are accepted"
        )
    size = len(scope["raw_path"]) + len(scope["query_string"])
    hosts: list[bytes] = []
    codings: list[bytes] = []
    has_length = False
    for name, value in headers:
        size += len(name) + len(value)
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
        elif name == b"content-length":
            has_length = True
    if size > MAX_HEAD_BYTES:
        raise HeadTooLarge(
            f"URL and headers have {size:,} bytes; "
            f"at most {MAX_HEAD_BYTES:,} are accepted"
        )
    # RFC 9112: HTTP/1.1 requires exactly one Host.
    if len(hosts) > 1:
        raise MalformedHead("The header Host was sent more than once; send it once")
    if scope["http_version"] == "1.1" and not any(hosts):
        raise MalformedHead("The header Host is missing; HTTP/1.1 requires it")
    if codings:
        _check_codings(codings, has_length=has_length)


def _check_codings(codings: list[bytes], *, has_length: bool) -> None:
    """Raise MalformedHead for any Transfer-Encoding but a single `chunked`.

    With another coding, the application would read a compressed body as plain.
    """
    if has_length:
        raise MalformedHead(
            "Content-Length and Transfer-Encoding were both sent; send one of them"
        )
    if len(codings) > 1 or codings[0].strip().lower() != b"chunked":
        raise MalformedHead("Only 'Transfer-Encoding: chunked' is supported")


async def read_body(
    scope: Scope,
    receive: Receive,
    *,
    request_class: RequestClass,
    seconds: float,
    slot: Slot,
) -> bytes:
    """Return the whole body.

    Raise ServerBusy, RequestTooSlow, BodyIncomplete or the class's `too_large` error,
    without reading further.
    """
    announced = announced_length(scope)
    if announced == 0:
        return b""
    limit = request_class.max_body_bytes
    if announced is not None and announced > limit:
        raise request_class.too_large(limit)
    try:
        async with asyncio.timeout(seconds):
            body = await _read(receive, limit, slot)
    except TimeoutError as error:
        raise RequestTooSlow(seconds=seconds) from error
    if body is None:
        raise request_class.too_large(limit)
    if announced is not None and len(body) < announced:
        raise BodyIncomplete
    return body


def announced_length(scope: Scope) -> int | None:
    """Return the length of the body; None if it is known only at the end."""
    is_open_ended = scope["http_version"] not in {"1", "1.0", "1.1"}
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None if is_open_ended else 0


async def discard_some(receive: Receive) -> None:
    """Read on for a moment after an early answer.

    A connection that is closed while the client still writes is reset, and the client
    loses the answer.
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


async def _read(receive: Receive, limit: int, slot: Slot) -> bytes | None:
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
        slot.grow(size)
        pieces.append(piece)
        if not message.get("more_body"):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
