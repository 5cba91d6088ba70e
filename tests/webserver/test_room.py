from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.webserver.edge import LIMITS, Sender, echo, make_scope, of_length
from webserver.adapter import BufferedApplication
from webserver.limits import SMALL_BODY_BYTES, ServerBusy
from webserver.room import Room

SMALL = SMALL_BODY_BYTES
FEW = replace(LIMITS, max_requests=2, large_bytes=1000)


def test_room_is_given_back() -> None:
    room = Room(FEW)

    with suppress(ServerBusy), room.place() as place:
        place.grow(SMALL + 1000)
        place.grow(SMALL + 1001)

    assert (room.requests, room.large_bytes) == (0, 0)


def test_more_requests_than_there_is_room_for_are_refused() -> None:
    room = Room(FEW)

    with room.place(), room.place():
        with pytest.raises(ServerBusy), room.place():
            pass
        assert room.requests == 2


def test_large_bodies_leave_room_for_small_ones() -> None:
    room = Room(FEW)

    with room.place() as large, room.place() as other:
        large.grow(SMALL + 600)
        large.grow(SMALL + 1000)
        other.grow(SMALL)
        with pytest.raises(ServerBusy):
            other.grow(SMALL + 1)
        assert room.large_bytes == 1000


def test_where_no_room_is_left_a_request_is_asked_to_come_again() -> None:
    buffered = BufferedApplication(
        echo, limits=replace(LIMITS, max_requests=1), threads=1
    )
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
