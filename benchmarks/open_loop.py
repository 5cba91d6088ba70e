"""An open loop of HTTP clients: requests leave when they are due, answered or not.

A closed loop slows down with the server and so hides how long others would have
waited; here each answer is timed from the instant at which its request was due.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from benchmarks.load import read_status

CONNECTIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Requests that come at a rate from one address, each to be answered alike."""

    requests: Sequence[bytes]
    per_second: float
    source: str
    status: int


def offer_all(offers: Sequence[Offer], *, port: int) -> list[list[float]]:
    """Send all offers beside each other; return the latencies of each, in seconds.

    Raises UnexpectedAnswer.
    """
    return uvloop.run(_offer_all(offers, port))


def p99(latencies: Sequence[float]) -> float:
    return sorted(latencies)[int(len(latencies) * 0.99)]


async def _offer_all(offers: Sequence[Offer], port: int) -> list[list[float]]:
    return await asyncio.gather(*(_offer(offer, port) for offer in offers))


async def _offer(offer: Offer, port: int) -> list[float]:
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    free = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(
            await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(offer.source, 0)
            )
        )
    latencies: list[float] = []

    async def send(request: bytes, due: float) -> None:
        reader, writer = await free.get()
        writer.write(request)
        await read_status(reader, expected=offer.status)
        latencies.append(time.perf_counter() - due)
        free.put_nowait((reader, writer))

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(offer.requests):
            due = start + number / offer.per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(request, due))
    while not free.empty():
        _, writer = free.get_nowait()
        writer.close()
    return latencies
