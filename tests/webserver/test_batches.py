"""Which requests are answered together, and what becomes of the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest

from config.request_classes import request_classes
from tests.webserver.edge import (
    LIMITS,
    MAX_API_BYTES,
    Headers,
    Sender,
    echo,
    make_scope,
    of_length,
)
from webserver.adapter import BufferedApplication
from webserver.batches import MAX_BYTES, MAX_REQUESTS, Answer
from webserver.calls import ApplicationFailed
from webserver.limits import SMALL_BODY_BYTES
from webserver.wsgi import Environ, WSGIApplication

DEADLINE_SECONDS = 20
KILOBYTES = 60


class Together:
    """Answers requests together, the first batch only once the test releases it."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.started = threading.Event()
        self.batches: list[list[str]] = []

    def __call__(self, environs: Sequence[Environ]) -> list[Answer | None]:
        self.batches.append([environ["PATH_INFO"] for environ in environs])
        self.started.set()
        assert self.released.wait(DEADLINE_SECONDS)
        return [self.answer(environ) for environ in environs]

    def answer(self, environ: Environ) -> Answer | None:
        body = environ["wsgi.input"].read()
        return Answer(status=202, headers=[("X-Way", "together")], body=body)


class Server:
    """One process of the server; `first` occupies the thread that answers batches."""

    def __init__(
        self,
        together: Together,
        *,
        application: WSGIApplication = echo,
        answer_seconds: float = 60,
    ) -> None:
        self.together = together
        self.application = BufferedApplication(
            application,
            classes=request_classes(
                max_api_bytes=MAX_API_BYTES, answer_seconds=answer_seconds
            ),
            limits=LIMITS,
            threads=2,
            answer_together=together,
        )

    async def answer(
        self,
        path: str,
        body: bytes = b"x",
        *,
        method: str = "POST",
        headers: Headers | None = None,
    ) -> Sender:
        sender = Sender([body])
        scope = make_scope(
            path, method=method, headers=[*(headers or []), *of_length(len(body))]
        )
        await self.application(scope, sender.receive, sender.send)
        return sender

    def send(self, path: str, body: bytes = b"x") -> asyncio.Task[Sender]:
        return asyncio.create_task(self.answer(path, body))

    async def occupy(self) -> asyncio.Task[Sender]:
        first = self.send("/webhooks/first")
        await asyncio.to_thread(self.together.started.wait, DEADLINE_SECONDS)
        return first


def run_scene(scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(scene(), DEADLINE_SECONDS)

    asyncio.run(run())


def answers_of(tasks: Sequence[asyncio.Task[Sender]]) -> list[tuple[int, bytes]]:
    return [(task.result().status, task.result().body) for task in tasks]


def test_requests_that_come_during_a_batch_are_the_next_one() -> None:
    together = Together()

    async def scene() -> None:
        server = Server(together)
        tasks = [await server.occupy()]
        tasks += [server.send(f"/webhooks/{n}", b"%d" % n) for n in range(5)]
        for _ in range(10):  # the tasks begin, read their bodies and are queued
            await asyncio.sleep(0)
        together.released.set()
        await asyncio.gather(*tasks)
        assert answers_of(tasks[1:]) == [(202, b"%d" % n) for n in range(5)]
        assert tasks[1].result().headers == {"x-way": "together"}

    run_scene(scene)

    assert together.batches[0] == ["/webhooks/first"]
    assert sorted(together.batches[1]) == [f"/webhooks/{n}" for n in range(5)]


@pytest.mark.parametrize(
    ("count", "body", "sizes"),
    [
        (40, b"x", [MAX_REQUESTS, 40 - MAX_REQUESTS]),
        # The body that reaches the limit is the last one.
        (20, b"x" * KILOBYTES * 1024, [MAX_BYTES // (KILOBYTES * 1024) + 1, 2]),
    ],
)
def test_a_batch_is_limited(count: int, body: bytes, sizes: list[int]) -> None:
    together = Together()

    async def scene() -> None:
        server = Server(together)
        tasks = [await server.occupy()]
        tasks += [server.send(f"/webhooks/{n}", body) for n in range(count)]
        for _ in range(10):  # the tasks begin, read their bodies and are queued
            await asyncio.sleep(0)
        together.released.set()
        await asyncio.gather(*tasks)

    run_scene(scene)

    assert [len(batch) for batch in together.batches[1:]] == sizes


@pytest.mark.parametrize(
    ("path", "method", "body", "headers"),
    [
        ("/webhooks/x", "PUT", b"x", []),
        ("/webhooks/x", "POST", b"x", [(b"prefer", b"wait=1")]),
        ("/webhooks/x", "POST", b"x", [(b"content-encoding", b"gzip")]),
        ("/webhooks/x", "POST", b"x" * (SMALL_BODY_BYTES + 1), []),
        ("/api/v1/events", "POST", b"x", []),
    ],
)
def test_other_requests_do_not_wait_for_a_batch(
    path: str, method: str, body: bytes, headers: Headers
) -> None:
    together = Together()

    async def scene() -> None:
        server = Server(together)
        first = await server.occupy()
        answer = await server.answer(path, body, method=method, headers=headers)
        assert (answer.status, answer.body) == (200, body)
        together.released.set()
        await first

    run_scene(scene)

    assert together.batches == [["/webhooks/first"]]


def test_what_a_batch_leaves_is_answered_by_a_thread() -> None:
    class Choosy(Together):
        def answer(self, environ: Environ) -> Answer | None:
            is_odd = environ["PATH_INFO"].endswith("1")
            return None if is_odd else super().answer(environ)

    together = Choosy()
    together.released.set()

    async def scene() -> None:
        server = Server(together)
        answers = [await server.answer(f"/webhooks/{n}", b"%d" % n) for n in range(4)]
        assert [(a.status, a.body) for a in answers] == [
            *((202, b"0"), (200, b"1"), (202, b"2"), (202, b"3")),
        ]

    run_scene(scene)


def test_a_failing_batch_fails_its_requests_and_no_others() -> None:
    class Failing(Together):
        def answer(self, environ: Environ) -> Answer | None:
            if environ["PATH_INFO"].endswith("bad"):
                raise SystemExit
            return super().answer(environ)

    together = Failing()
    together.released.set()

    async def scene() -> None:
        server = Server(together)
        with pytest.raises(ApplicationFailed, match="SystemExit"):
            await server.answer("/webhooks/bad")
        assert (await server.answer("/webhooks/good")).status == 202

    run_scene(scene)


def test_a_request_that_waits_in_vain_is_not_answered_later() -> None:
    together = Together()

    async def scene() -> None:
        server = Server(together, answer_seconds=0.05)
        first = await server.occupy()
        late = await server.answer("/webhooks/late")
        assert (late.status, late.json["error_code"]) == (503, "busy")
        together.released.set()
        assert (await first).status == 503
        while (await server.answer("/webhooks/next")).status != 202:
            pass

    run_scene(scene)

    assert all("/webhooks/late" not in batch for batch in together.batches)


def test_a_request_that_was_given_up_is_not_handed_to_a_thread() -> None:
    class Refusing(Together):
        def answer(self, environ: Environ) -> Answer | None:
            return None

    paths: list[str] = []
    together = Refusing()

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        paths.append(environ["PATH_INFO"])
        return echo(environ, start_response)

    async def scene() -> None:
        server = Server(together, application=application, answer_seconds=0.05)
        first = await server.occupy()
        assert (await first).status == 503
        together.released.set()
        while (await server.answer("/webhooks/next")).status != 200:
            pass

    run_scene(scene)

    assert "/webhooks/first" not in paths
