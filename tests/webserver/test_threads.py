"""Which requests are answered while others use all their threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.webserver.edge import LIMITS, Sender, buffer_application, make_scope
from webserver.wsgi import Environ

DEADLINE_SECONDS = 20


class BlockingApplication:
    """A WSGI application that answers some paths only once the test releases them."""

    def __init__(self, *prefixes: str) -> None:
        self._prefixes = prefixes
        self.released = threading.Event()
        self.running: list[str] = []
        self.most_running = 0
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Any:
        path = environ["PATH_INFO"]
        if path.startswith(self._prefixes):
            with self._lock:
                self.running.append(path)
                self.most_running = max(self.most_running, len(self.running))
            assert self.released.wait(DEADLINE_SECONDS)
            with self._lock:
                self.running.remove(path)
        start_response("200 OK", [])
        return [path.encode()]


class Server:
    """One process of the server, which gets several requests at once."""

    def __init__(
        self, application: BlockingApplication, *, threads: int, **how: Any
    ) -> None:
        self._buffered = buffer_application(application, threads=threads, **how)
        self._application = application
        self._tasks: list[asyncio.Task[Sender]] = []

    async def answer(self, path: str) -> Sender:
        sender = Sender([])
        await self._buffered(make_scope(path), sender.receive, sender.send)
        return sender

    def send(self, path: str) -> None:
        self._tasks.append(asyncio.create_task(self.answer(path)))

    async def wait_until_running(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(self._application.running) < count:
                await asyncio.sleep(0.001)

    async def finish(self) -> list[Sender]:
        self._application.released.set()
        return await asyncio.gather(*self._tasks)


def run_scene(scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(scene(), DEADLINE_SECONDS)

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/admin/login/", "/api/schema", "/livez/x"])
def test_pages_use_at_most_half_of_the_threads(path: str) -> None:
    application = BlockingApplication(path)

    async def scene() -> None:
        server = Server(application, threads=4)
        for _ in range(24):
            server.send(path)
        await server.wait_until_running(2)
        hooks = [await server.answer("/webhooks/x") for _ in range(8)]
        assert [hook.status for hook in hooks] == [200] * 8
        pages = await server.finish()
        assert [page.status for page in pages] == [200] * 24

    run_scene(scene)

    assert application.most_running == 2


def test_webhooks_use_all_threads() -> None:
    application = BlockingApplication("/webhooks/")

    async def scene() -> None:
        server = Server(application, threads=4)
        for number in range(6):
            server.send(f"/webhooks/{number}")
        await server.wait_until_running(4)
        await server.finish()

    run_scene(scene)

    assert application.most_running == 4


def test_with_one_thread_pages_are_still_answered() -> None:
    async def scene() -> None:
        server = Server(BlockingApplication("/never"), threads=1)
        assert (await server.answer("/admin/")).status == 200

    run_scene(scene)


@pytest.mark.parametrize("probe", ["/livez", "/readyz"])
def test_probes_are_answered_while_all_threads_are_busy(probe: str) -> None:
    application = BlockingApplication("/webhooks/", "/admin/")

    async def scene() -> None:
        server = Server(application, threads=2, limits=replace(LIMITS, max_requests=12))
        for number in range(6):
            server.send(f"/webhooks/{number}")
            server.send(f"/admin/{number}")
        await server.wait_until_running(2)
        assert (await server.answer("/webhooks/7")).status == 503
        assert (await server.answer(probe)).body == probe.encode()
        await server.finish()

    run_scene(scene)


def test_a_hanging_readyz_does_not_delay_livez() -> None:
    application = BlockingApplication("/readyz")

    async def scene() -> None:
        server = Server(application, threads=2, answer_seconds=0.05)
        server.send("/readyz")
        await server.wait_until_running(1)
        assert (await server.answer("/livez")).status == 200
        assert (await server.answer("/readyz")).status == 503
        await server.finish()

    run_scene(scene)


def test_pages_beyond_the_limit_of_waiting_ones_get_503() -> None:
    application = BlockingApplication("/admin/")

    async def scene() -> None:
        server = Server(application, threads=2, max_waiting=1)
        server.send("/admin/running")
        await server.wait_until_running(1)
        server.send("/admin/waiting")
        await asyncio.sleep(0)
        refused = await server.answer("/admin/refused")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        assert [page.status for page in await server.finish()] == [200, 200]

    run_scene(scene)


def throttle(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    is_throttled = environ["QUERY_STRING"] == "throttled"
    start_response("429 Too Many Requests" if is_throttled else "200 OK", [])
    return [b""]


def test_the_delay_of_a_429_uses_no_thread_and_no_capacity() -> None:
    limits = replace(LIMITS, throttle_delay_seconds=3600, max_requests=1)
    buffered = buffer_application(throttle, limits=limits)
    delayed, other = Sender([]), Sender([])

    async def scene() -> None:
        scope = make_scope("/admin/login/", query_string=b"throttled")
        delaying = asyncio.create_task(buffered(scope, delayed.receive, delayed.send))
        while not buffered.delayed_answers:
            await asyncio.sleep(0.001)
        await buffered(make_scope("/admin/"), other.receive, other.send)
        delaying.cancel()
        await asyncio.gather(delaying, return_exceptions=True)

    run_scene(scene)

    assert (delayed.sent, other.status, buffered.delayed_answers) == ([], 200, 0)


@pytest.mark.parametrize(
    ("path", "max_delayed", "seconds"),
    [("/webhooks/x", 1, 3600), ("/admin/login/", 0, 3600), ("/admin/login/", 1, 0)],
    ids=["a webhook", "too many are delayed", "the delay is over"],
)
def test_other_429_answers_are_sent_at_once(
    path: str, max_delayed: int, seconds: float
) -> None:
    limits = replace(LIMITS, max_delayed=max_delayed, throttle_delay_seconds=seconds)
    buffered = buffer_application(throttle, limits=limits)
    sender = Sender([])
    scope = make_scope(path, query_string=b"throttled")

    asyncio.run(
        asyncio.wait_for(buffered(scope, sender.receive, sender.send), DEADLINE_SECONDS)
    )

    assert sender.status == 429
