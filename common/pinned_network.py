"""Connections to addresses that were checked before, under one deadline.

httpcore2 applies its time-outs to each read and write, so a server that sends one byte
now and then is never cut off. Here each operation gets the time that is left in all.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore2

from common.addresses import Address

_WRITE_BYTES = 4096


class Deadline:
    """The moment by which a whole request must have been answered."""

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
    """Connects to given addresses, whatever host name the URL contains."""

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

        An address that does not answer leaves half of the time to those after it.
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
        # A large buffer is sent in many steps, each of which gets the whole time-out.
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
