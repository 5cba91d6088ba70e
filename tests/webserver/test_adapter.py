"""How the answer of a WSGI application is sent."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.webserver.edge import (
    Sender,
    ask,
    buffer_application,
    class_of,
    make_scope,
    of_length,
)
from webserver.calls import ApplicationFailed
from webserver.wsgi import Environ

MEGABYTE = 1024 * 1024
Start = Callable[..., Any]


class Body:
    """An iterable answer that records whether it was closed."""

    def __init__(self, *pieces: bytes, fails: bool = False) -> None:
        self._pieces = pieces
        self._fails = fails
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._fails:
            raise ZeroDivisionError

    def close(self) -> None:
        self.is_closed = True


def answer(body: Body, *, method: str = "GET") -> Sender:
    def application(environ: Environ, start_response: Start) -> Body:
        start_response("201 Made", [("X-L", "\xe9"), ("Set-Cookie", "a=1")])
        return body

    return ask(Sender([]), make_scope(method=method), application)


def test_an_answer_is_sent_at_once_and_closed() -> None:
    sender = answer(body := Body(b"a", b"", b"b"))

    assert (sender.status, sender.body, len(sender.sent)) == (201, b"ab", 2)
    assert sender.sent[0]["headers"] == [(b"x-l", b"\xe9"), (b"set-cookie", b"a=1")]
    assert body.is_closed


def test_a_large_answer_is_sent_in_pieces() -> None:
    pieces = [bytes([number]) * MEGABYTE for number in range(5)]

    sender = answer(body := Body(*pieces))

    assert len(sender.sent) > 3
    assert sender.body == b"".join(pieces)
    assert [m["more_body"] for m in sender.sent[1:]] == [True] * (
        len(sender.sent) - 2
    ) + [False]
    assert body.is_closed


def test_the_answer_to_head_has_no_body() -> None:
    sender = answer(body := Body(b"x" * 2 * MEGABYTE, b"y"), method="HEAD")

    assert (sender.status, sender.body) == (201, b"")
    assert body.is_closed


def test_an_answer_that_fails_is_closed_and_not_sent() -> None:
    body = Body(b"a", fails=True)

    with pytest.raises(ApplicationFailed, match="ZeroDivisionError"):
        answer(body)

    assert body.is_closed


def test_written_pieces_come_before_returned_ones() -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"a")
        return [b"b"]

    assert ask(Sender([]), make_scope(), application).body == b"ab"


def test_an_error_replaces_an_answer_that_has_not_begun() -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", [("X-A", "1")])
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("500 Oh", [], sys.exc_info())
        return [b"sorry"]

    sender = ask(Sender([]), make_scope(), application)

    assert (sender.status, sender.headers, sender.body) == (500, {}, b"sorry")


def test_an_error_in_an_answer_that_has_begun_is_raised_again() -> None:
    def application(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"x" * 2 * MEGABYTE
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("500 Oh", [], sys.exc_info())

    with pytest.raises(ApplicationFailed, match="ZeroDivisionError"):
        ask(Sender([]), make_scope(), application)


@pytest.mark.parametrize("times", [0, 2])
def test_an_answer_starts_exactly_once(times: int) -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        for _ in range(times):
            start_response("200 OK", [])
        return [b""]

    with pytest.raises(ApplicationFailed) as failure:
        ask(Sender([]), make_scope(), application)

    assert "start_response was" in str(failure.value.__cause__)


def test_the_application_runs_in_a_thread_of_its_own() -> None:
    names: list[str] = []

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        names.append(threading.current_thread().name)
        start_response("204 No Content", [])
        return []

    ask(Sender([]), make_scope(), application)

    assert names == ["web-1"]


@pytest.mark.parametrize("error", [SystemExit, StopIteration])
def test_no_error_of_an_application_ends_a_thread(error: type[BaseException]) -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        if environ["PATH_INFO"] == "/bad":
            raise error
        start_response("200 OK", [])
        return [b"good"]

    buffered = buffer_application(application)
    bad, good = Sender([]), Sender([])

    async def play() -> None:
        with suppress(ApplicationFailed):
            await buffered(make_scope("/bad"), bad.receive, bad.send)
        await buffered(make_scope("/good"), good.receive, good.send)

    asyncio.run(play())

    assert (bad.sent, good.body) == ([], b"good")


def test_a_delivery_that_gets_no_thread_in_time_gets_503_and_never_runs() -> None:
    begun: list[str] = []
    is_over = threading.Event()

    def hanging(environ: Environ, start_response: Start) -> list[bytes]:
        begun.append(environ["PATH_INFO"])
        is_over.wait(10)
        start_response("200 OK", [])
        return []

    buffered = buffer_application(hanging, answer_seconds=0.05)
    senders = [Sender([b"{}"]), Sender([b"{}"])]

    async def deliver() -> None:
        for place, sender in enumerate(senders):
            scope = make_scope(f"/webhooks/{place}", headers=of_length(2))
            await buffered(scope, sender.receive, sender.send)
        is_over.set()
        await buffered(make_scope(), (last := Sender([])).receive, last.send)

    asyncio.run(deliver())

    assert [sender.status for sender in senders] == [503, 503]
    assert all(sender.headers["retry-after"] for sender in senders)
    assert begun == ["/webhooks/0", "/api/v1/x"]


def test_a_prefer_header_extends_the_time_for_a_webhook() -> None:
    prefers = [(b"prefer", b"wait=10")]

    webhooks = class_of("/webhooks/x")
    assert webhooks.seconds_to_answer([]) == 8
    assert webhooks.seconds_to_answer(prefers) == 18
    assert class_of("/admin/").seconds_to_answer(prefers) is None
