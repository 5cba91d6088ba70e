from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from common.errors import TickhookError
from webserver.body import Message, Receive, Scope, discard_some, read_body
from webserver.call import Call, WSGIApplication
from webserver.environ import build_environ
from webserver.head import check_head
from webserver.lanes import Lanes, Runs
from webserver.limits import Limits, ServerBusy
from webserver.refusal import refusal

AsyncSend = Callable[[Message], Awaitable[None]]

# A reader that takes nothing of a large answer for so long has gone.
_SEND_SECONDS = 30
_THROTTLED = 429


class ApplicationFailed(Exception):
    """The application raised an error instead of answering; the cause tells which."""


class BufferedApplication:
    """An ASGI application that reads a request whole and gives it to a WSGI one.

    Reading holds no thread; the WSGI application runs in one of a few.
    """

    def __init__(
        self, application: WSGIApplication, *, limits: Limits, threads: int
    ) -> None:
        self._application = application
        self._limits = limits
        self._lanes = Lanes(limits, threads=threads)
        self.held_back = 0

    async def __call__(self, scope: Scope, receive: Receive, send: AsyncSend) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"No {scope['type']} here")
        try:
            check_head(scope)
            lane = self._lanes.of(scope["path"])
            with lane.room.place() as place:
                body = await read_body(scope, receive, limits=self._limits, place=place)
                messages = await self._call(scope, body, send, lane.threads)
                is_throttled = messages[0].get("status") == _THROTTLED
                if not (is_throttled and lane.holds_back):
                    await _send_all(send, messages)
                    return
            await self._hold_back()
            await _send_all(send, messages)
        except TickhookError as error:
            for message in refusal(error, scope):
                await send(message)
            await discard_some(receive)

    async def _hold_back(self) -> None:
        """Wait for a moment, unless many answers wait already."""
        if self.held_back >= self._limits.held_back:
            return
        self.held_back += 1
        try:
            await asyncio.sleep(self._limits.held_back_seconds)
        finally:
            self.held_back -= 1

    async def _call(
        self, scope: Scope, body: bytes, send: AsyncSend, threads: Runs
    ) -> list[Message]:
        """Return what is left to send, when a thread has done its part."""
        loop = asyncio.get_running_loop()
        answered: Future[list[Message]] = loop.create_future()
        # Whoever takes it out, a thread or the deadline, has it: nothing is begun late,
        # and what waits for a thread in vain holds no body.
        request = [(scope, body)]

        def send_and_wait(message: Message) -> None:
            sent = asyncio.run_coroutine_threadsafe(_send(send, message), loop)
            sent.result(_SEND_SECONDS)

        def job() -> None:
            try:
                mine = request.pop()
            except IndexError:
                return
            try:
                environ = build_environ(*mine)
                messages = Call(send_and_wait).run(self._application, environ)
            except BaseException as error:  # noqa: BLE001 - the loop's side raises it
                _tell(loop, _fail, answered, error)
            else:
                _tell(loop, _succeed, answered, messages)

        threads.run(job)
        try:
            async with asyncio.timeout(self._limits.answer_seconds(scope)):
                return await answered
        except TimeoutError as error:
            request.clear()
            raise ServerBusy from error


async def _send_all(send: AsyncSend, messages: list[Message]) -> None:
    for message in messages:
        await send(message)


async def _send(send: AsyncSend, message: Message) -> None:
    await send(message)


def _succeed(answered: Future[list[Message]], messages: list[Message]) -> None:
    if not answered.done():
        answered.set_result(messages)


def _fail(answered: Future[list[Message]], error: BaseException) -> None:
    """Wrap the error: a bare SystemExit would end the loop, too."""
    if not answered.done():
        failure = ApplicationFailed(type(error).__name__)
        failure.__cause__ = error
        answered.set_exception(failure)


def _tell(loop: AbstractEventLoop, *call: Any) -> None:
    with suppress(RuntimeError):  # the loop has ended: nobody waits for the answer
        loop.call_soon_threadsafe(*call)
