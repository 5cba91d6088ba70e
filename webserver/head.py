"""Checks what precedes a body, whatever server parsed it.

A proxy in front of this server may read an ambiguous head in another way: what one of
the two takes for the body, the other could take for a request.
"""

from __future__ import annotations

from common.errors import InvalidInput, TickhookError
from webserver.body import Scope

MAX_HEADERS = 100
MAX_HEAD_BYTES = 64 * 1024


class HeadTooLarge(TickhookError):
    """The request has more headers, or larger ones, than the server takes."""

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
            f"The request has {len(headers):,} headers; at most {MAX_HEADERS} are taken"
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
            f"URL and headers have {size:,} bytes; at most {MAX_HEAD_BYTES:,} are taken"
        )
    _check_hosts(hosts, scope["http_version"])
    if codings:
        _check_codings(codings, has_length=has_length)


def _check_hosts(hosts: list[bytes], version: str) -> None:
    """Raise MalformedHead for more than one Host, or none in HTTP/1.1 (RFC 9112)."""
    if len(hosts) > 1:
        raise MalformedHead("The header Host was sent more than once; send it once")
    if version == "1.1" and not any(hosts):
        raise MalformedHead("The header Host is missing; HTTP/1.1 requires it")


def _check_codings(codings: list[bytes], *, has_length: bool) -> None:
    """Raise MalformedHead for any Transfer-Encoding but a single `chunked`.

    The body that follows would be taken for plain although it is compressed.
    """
    if has_length:
        raise MalformedHead(
            "Content-Length and Transfer-Encoding were both sent; send one of them"
        )
    if len(codings) > 1 or codings[0].strip().lower() != b"chunked":
        raise MalformedHead("Only 'Transfer-Encoding: chunked' is supported")
