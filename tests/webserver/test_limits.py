from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.webserver.edge import (
    LIMITS,
    Sender,
    buffer_application,
    echo,
    make_scope,
    of_length,
)
from webserver.limits import SMALL_BODY_BYTES, Capacity, ServerBusy

SMALL = SMALL_BODY_BYTES


@pytest.fixture
def capacity() -> Capacity:
    return Capacity(max_requests=2, large_bytes=1000)


def test_the_end_of_a_request_releases_its_capacity(capacity: Capacity) -> None:
    with suppress(ServerBusy), capacity.slot() as slot:
        slot.grow(SMALL + 1000)
        slot.grow(SMALL + 1001)

    assert (capacity.requests, capacity.large_bytes) == (0, 0)


def test_requests_beyond_the_capacity_are_refused(capacity: Capacity) -> None:
    with capacity.slot(), capacity.slot():
        with pytest.raises(ServerBusy), capacity.slot():
            pass
        assert capacity.requests == 2


def test_large_bodies_leave_capacity_for_small_ones(capacity: Capacity) -> None:
    with capacity.slot() as large, capacity.slot() as other:
        large.grow(SMALL + 600)
        large.grow(SMALL + 1000)
        other.grow(SMALL)
        with pytest.raises(ServerBusy):
            other.grow(SMALL + 1)
        assert capacity.large_bytes == 1000


def test_without_capacity_a_request_gets_503_and_retry_after() -> None:
    buffered = buffer_application(echo, limits=replace(LIMITS, max_requests=1))
    scope = make_scope(headers=of_length(5))
    slow, refused = Sender([b"h"], is_over=False, is_gone=False), Sender([b"hello"])
    late = Sender([b"hello"])

    async def play() -> None:
        reading = asyncio.create_task(buffered(scope, slow.receive, slow.send))
        while not slow.reads:
            await asyncio.sleep(0)
        await buffered(scope, refused.receive, refused.send)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await buffered(scope, late.receive, late.send)

    asyncio.run(play())

    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert refused.json["error_code"] == "busy"
    assert (late.status, late.body) == (200, b"hello")
