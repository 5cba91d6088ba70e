"""Deliveries that come at a rate; an answer of any status counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

NO_ANSWER_SECONDS = 30
NO_ANSWER = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The response to a delivery: 0 for none; the time counts from its due instant."""

    seconds: float
    status: int


def offer(requests: Sequence[bytes], *, per_second: float, port: int) -> list[Answered]:
    """Send all requests when they are due, each on its own connection.

    Senders that deliver occasionally do the same: they meet the server's full queue.
    """
    return asyncio.run(_offer(requests, per_second, port))


async def _offer(
    requests: Sequence[bytes], per_second: float, port: int
) -> list[Answered]:
    start = time.perf_counter()
    sent: list[asyncio.Task[Answered]] = []
    for number, request in enumerate(requests):
        due = start + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sent.append(asyncio.create_task(_deliver(request, due, port)))
    return await asyncio.gather(*sent)


async def _deliver(request: bytes, due: float, port: int) -> Answered:
    try:
        async with asyncio.timeout(NO_ANSWER_SECONDS):
            status = await _exchange(request, port)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        status = NO_ANSWER
    return Answered(seconds=time.perf_counter() - due, status=status)


async def _exchange(request: bytes, port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1])
    finally:
        writer.close()
