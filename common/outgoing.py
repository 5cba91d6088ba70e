"""HTTP requests to URLs from people or senders, but not to private networks.

The check and the request use the same parser for the URL. The host name is resolved
once, every address is checked, and the connection goes to a checked address.

httpcore2 applies its time-outs to each read and write, so a server that sends one byte
now and then is never cut off. Here each operation gets the time that is left in all.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from functools import cache
from threading import BoundedSemaphore, Thread
from typing import Any

import httpcore2

from common.addresses import (
    Address,
    Target,
    allowed_addresses,
    check_url,
    parse_address,
)
from common.errors import TickhookError

TIMEOUT_SECONDS = 10.0
# getaddrinfo has no time-out: a thread that waits too long for it is abandoned.
RESOLVE_SECONDS = 5.0
MAX_RESOLVING_THREADS = 16

_NO_RESOLVER = "The resolver of host names does not answer"
_resolving = BoundedSemaphore(MAX_RESOLVING_THREADS)


class Unreachable(TickhookError):
    """The URL cannot be reached, or the response of its server is not valid."""

    code = "unreachable"
    http_status = 502


def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout_seconds: float = TIMEOUT_SECONDS,
    tls: ssl.SSLContext | None = None,
) -> bytes:
    """Return the body of the response to a GET; raise Unreachable or UrlNotAllowed.

    The deadline covers everything from the resolution of the name to the last byte. It
    does not follow redirects, and does not use the proxies of the environment.
    """
    target = check_url(url)
    deadline = Deadline(timeout_seconds)
    try:
        addresses = allowed_addresses(target, _resolve(target, deadline))
        with httpcore2.ConnectionPool(
            ssl_context=tls or _shared_tls(),
            max_connections=1,
            retries=0,
            network_backend=PinnedBackend(addresses, deadline),
        ) as pool:
            return _get(pool, target, max_bytes)
    except httpcore2.TimeoutException as error:
        detail = f"No complete answer within {deadline.seconds:g} seconds"
        raise Unreachable(detail) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        raise Unreachable(_describe(error)) from error


def _get(pool: httpcore2.ConnectionPool, target: Target, max_bytes: int) -> bytes:
    url = httpcore2.URL(
        scheme=target.scheme, host=target.host, port=target.port, target=target.path
    )
    # A few compressed kilobytes can become gigabytes: accept and read plain bytes only.
    headers = [("Host", target.authority), ("Accept-Encoding", "identity")]
    body = bytearray()
    with pool.stream("GET", url, headers=headers) as answer:
        if answer.status != 200:
            raise Unreachable(f"The server answered with status {answer.status}")
        if any(
            name.lower() == b"content-encoding" and value.lower() != b"identity"
            for name, value in answer.headers
        ):
            raise Unreachable("The server answered with a compressed body")
        for piece in answer.iter_stream():
            body += piece
            if len(body) > max_bytes:
                raise Unreachable(f"The server sent more than {max_bytes:,} bytes")
    return bytes(body)


@cache
def _shared_tls() -> ssl.SSLContext:
    """Return the TLS context of the process: reading the trusted roots takes 20 ms."""
    return ssl.create_default_context()


def _resolve(target: Target, deadline: Deadline) -> Sequence[Address]:
    """Return the addresses of a host, in the order of the resolver."""
    found: list[Address] = []
    errors: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(target.host, None, type=socket.SOCK_STREAM)
            texts = dict.fromkeys(str(place[0]) for *_, place in answers)
            found.extend(a for text in texts if (a := parse_address(text)) is not None)
        except (OSError, UnicodeError) as error:
            errors.append(error)
        finally:
            _resolving.release()

    if not _resolving.acquire(timeout=min(RESOLVE_SECONDS, deadline.remaining())):
        raise Unreachable(_NO_RESOLVER)
    thread = Thread(target=ask, daemon=True, name="resolve")
    thread.start()
    thread.join(min(RESOLVE_SECONDS, deadline.remaining()))
    if thread.is_alive():
        raise Unreachable(_NO_RESOLVER)
    if not found:
        raise Unreachable("The host name is not known") from next(iter(errors), None)
    return found


def _describe(error: Exception) -> str:
    """Return what failed in a connection, without text from the server."""
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"The server's certificate is not trusted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"The TLS handshake failed: {cause.reason}"
    if isinstance(cause, OSError) and cause.strerror:
        return f"The connection failed: {cause.strerror}"
    if isinstance(error, httpcore2.ProtocolError):
        return "The server's answer is not valid HTTP"
    return "The server closed the connection too early"


_WRITE_BYTES = 4096


class Deadline:
    """The time by which the response to a request must be complete."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends_at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left; raise httpcore2.TimeoutException if none are."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise httpcore2.TimeoutException
        return left


class PinnedBackend(httpcore2.NetworkBackend):
    """Connects to the given addresses, whatever the host name in the URL is."""

    def __init__(self, addresses: Sequence[Address], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Return a stream to the first address that accepts a connection.

        An address that does not answer gets half of the remaining time.
        """
        *others, last = self._addresses
        for address in others:
            try:
                return self._connect(address, port, self._deadline.remaining() / 2)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return self._connect(last, port, self._deadline.remaining())

    def _connect(
        self, address: Address, port: int, timeout: float
    ) -> httpcore2.NetworkStream:
        stream = self._backend.connect_tcp(str(address), port, timeout)
        return _DeadlineStream(stream, self._deadline)


class _DeadlineStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.remaining())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # httpcore2 writes a large buffer in many steps, each with the whole time-out.
        for start in range(0, len(buffer), _WRITE_BYTES):
            piece = buffer[start : start + _WRITE_BYTES]
            self._stream.write(piece, self._deadline.remaining())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._deadline.remaining()
        stream = self._stream.start_tls(ssl_context, server_hostname, left)
        return _DeadlineStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
