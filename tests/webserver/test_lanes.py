"""Which requests work while all the threads of others are taken."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.webserver.edge import LIMITS, Sender, make_scope
from webserver.adapter import BufferedApplication
from webserver.environ import Environ
from webserver.limits import Limits

DEADLINE_SECONDS = 20


class Held:
    """A WSGI application that answers some paths only once they are released."""

    def __init__(self, *prefixes: str) -> None:
        self._prefixes = prefixes
        self.released = threading.Event()
        self.running: list[str] = []
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Any:
        path = environ["PATH_INFO"]
        if path.startswith(self._prefixes):
            with self._lock:
                self.running.append(path)
                self.most = max(self.most, len(self.running))
            assert self.released.wait(DEADLINE_SECONDS)
            with self._lock:
                self.running.remove(path)
        start_response("200 OK", [])
        return [path.encode()]


class Server:
    """One process of the server; requests are sent next to each other."""

    def __init__(self, held: Held, *, threads: int, limits: Limits = LIMITS) -> None:
        self._buffered = BufferedApplication(held, limits=limits, threads=threads)
        self._held = held
        self._tasks: list[asyncio.Task[Sender]] = []

    async def answer(self, path: str) -> Sender:
        sender = Sender([])
        await self._buffered(make_scope(path), sender.receive, sender.send)
        return sender

    def send(self, path: str) -> None:
        self._tasks.append(asyncio.create_task(self.answer(path)))

    async def wait_until_running(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(self._held.running) < count:
                await asyncio.sleep(0.001)

    async def finish(self) -> list[Sender]:
        self._held.released.set()
        return await asyncio.gather(*self._tasks)


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(scene(), DEADLINE_SECONDS)

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/admin/login/", "/api/schema", "/livez/x"])
def test_pages_use_at_most_half_of_the_threads(path: str) -> None:
    held = Held(path)

    async def scene() -> None:
        server = Server(held, threads=4)
        for _ in range(24):
            server.send(path)
        await server.wait_until_running(2)
        hooks = [await server.answer("/webhooks/x") for _ in range(8)]
        assert [hook.status for hook in hooks] == [200] * 8
        pages = await server.finish()
        assert [page.status for page in pages] == [200] * 24

    play(scene)

    assert held.most == 2


def test_webhooks_use_all_threads() -> None:
    held = Held("/webhooks/")

    async def scene() -> None:
        server = Server(held, threads=4)
        for number in range(6):
            server.send(f"/webhooks/{number}")
        await server.wait_until_running(4)
        await server.finish()

    play(scene)

    assert held.most == 4


def test_with_one_thread_pages_are_still_answered() -> None:
    async def scene() -> None:
        server = Server(Held("/never"), threads=1)
        assert (await server.answer("/admin/")).status == 200

    play(scene)


@pytest.mark.parametrize("probe", ["/livez", "/readyz"])
def test_probes_are_answered_while_all_threads_are_taken(probe: str) -> None:
    held = Held("/webhooks/", "/admin/")

    async def scene() -> None:
        server = Server(held, threads=2, limits=replace(LIMITS, max_requests=12))
        for number in range(6):
            server.send(f"/webhooks/{number}")
            server.send(f"/admin/{number}")
        await server.wait_until_running(2)
        assert (await server.answer("/webhooks/7")).status == 503
        assert (await server.answer(probe)).body == probe.encode()
        await server.finish()

    play(scene)


def test_a_readyz_that_hangs_holds_up_no_livez() -> None:
    held = Held("/readyz")

    async def scene() -> None:
        limits = replace(LIMITS, delivery_seconds=0.05)
        server = Server(held, threads=2, limits=limits)
        server.send("/readyz")
        await server.wait_until_running(1)
        assert (await server.answer("/livez")).status == 200
        assert (await server.answer("/readyz")).status == 503
        await server.finish()

    play(scene)


def test_more_pages_than_may_wait_are_asked_to_come_again() -> None:
    held = Held("/admin/")

    async def scene() -> None:
        server = Server(held, threads=2, limits=replace(LIMITS, waiting_pages=1))
        server.send("/admin/running")
        await server.wait_until_running(1)
        server.send("/admin/waiting")
        await asyncio.sleep(0)
        refused = await server.answer("/admin/refused")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        assert [page.status for page in await server.finish()] == [200, 200]

    play(scene)


def throttle(environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    is_throttled = environ["QUERY_STRING"] == "throttled"
    start_response("429 Too Many Requests" if is_throttled else "200 OK", [])
    return [b""]


def test_a_throttled_page_is_held_back_without_a_thread_or_a_place() -> None:
    limits = replace(LIMITS, held_back_seconds=3600, max_requests=1)
    buffered = BufferedApplication(throttle, limits=limits, threads=1)
    held, other = Sender([]), Sender([])

    async def scene() -> None:
        scope = make_scope("/admin/login/", query_string=b"throttled")
        holding = asyncio.create_task(buffered(scope, held.receive, held.send))
        while not buffered.held_back:
            await asyncio.sleep(0.001)
        await buffered(make_scope("/admin/"), other.receive, other.send)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)

    play(scene)

    assert (held.sent, other.status, buffered.held_back) == ([], 200, 0)


@pytest.mark.parametrize(
    ("path", "held_back", "seconds"),
    [("/webhooks/x", 1, 3600), ("/admin/login/", 0, 3600), ("/admin/login/", 1, 0)],
    ids=["a webhook", "too many", "time is over"],
)
def test_other_throttled_requests_are_answered(
    path: str, held_back: int, seconds: float
) -> None:
    limits = replace(LIMITS, held_back=held_back, held_back_seconds=seconds)
    buffered = BufferedApplication(throttle, limits=limits, threads=1)
    sender = Sender([])
    scope = make_scope(path, query_string=b"throttled")

    asyncio.run(
        asyncio.wait_for(buffered(scope, sender.receive, sender.send), DEADLINE_SECONDS)
    )

    assert sender.status == 429
