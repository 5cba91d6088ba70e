"""An open loop of HTTP clients: requests are sent when due, answered or not.

A closed loop slows down with the server, and so hides how long other clients would
wait. Here, the time of a response counts from the instant when its request was due.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import uvloop

from benchmarks.connection import Connection

CONNECTIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Requests at a fixed rate from one address, all with one expected status."""

    requests: Sequence[bytes]
    per_second: float
    source: str
    status: int


def offer_all(offers: Sequence[Offer], *, port: int) -> list[list[float]]:
    """Send all offers concurrently; return the latencies of each, in seconds.

    Raises UnexpectedAnswer.
    """
    return uvloop.run(_offer_all(offers, port))


def p99(latencies: Sequence[float]) -> float:
    return sorted(latencies)[int(len(latencies) * 0.99)]


async def _offer_all(offers: Sequence[Offer], port: int) -> list[list[float]]:
    return await asyncio.gather(*(_Sender(offer).run(port) for offer in offers))


class _Sender:
    """Sends one offer; a request waits, its time running, for a free connection."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._free: list[Connection] = []
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._latencies: list[float] = []
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, port: int) -> list[float]:
        await self._connect(port)
        connections = list(self._free)
        try:
            await self._send_all()
            await self._done
        finally:
            for connection in connections:
                connection.close()
        return self._latencies

    async def _send_all(self) -> None:
        start = time.perf_counter()
        for number, request in enumerate(self._offer.requests):
            due = start + number / self._offer.per_second
            while (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)  # a timer of whole milliseconds
            self._waiting.append((request, due))
            self._send_waiting()

    async def _connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, connection = await loop.create_connection(
                lambda: Connection(status=self._offer.status, fail=self._fail),
                "127.0.0.1",
                port,
                local_addr=(self._offer.source, 0),
            )
            self._free.append(connection)

    def _send_waiting(self) -> None:
        while self._waiting and self._free:
            (request, due), connection = self._waiting.popleft(), self._free.pop()
            connection.send(request, partial(self._answered, connection, due))

    def _answered(self, connection: Connection, due: float) -> None:
        self._latencies.append(time.perf_counter() - due)
        self._free.append(connection)
        if len(self._latencies) == len(self._offer.requests):
            self._done.set_result(None)
        self._send_waiting()

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)
