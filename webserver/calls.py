"""A request that has been read and waits in the event loop for its answer."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future
from collections.abc import Sequence
from contextlib import suppress

from webserver.limits import Scope, ServerBusy
from webserver.reading import Message

Request = tuple[Scope, bytes]


class ApplicationFailed(Exception):
    """The application raised an error instead of answering; see the cause."""


class Call:
    """The request is taken once: by the thread that answers it, or by the deadline.

    So no thread starts a request after its deadline, and a request that waits in vain
    for a thread does not keep its body in memory.
    """

    def __init__(self, scope: Scope, body: bytes) -> None:
        self.loop: AbstractEventLoop = asyncio.get_running_loop()
        self._answered: Future[list[Message]] = self.loop.create_future()
        self._request: list[Request] = [(scope, body)]
        self._is_given_up = False

    def take(self) -> Request | None:
        """Return the request, to the first caller."""
        try:
            return self._request.pop()
        except IndexError:
            return None

    def put_back(self, request: Request) -> None:
        """Let another thread answer the request that this one took."""
        self._request.append(request)
        if self._is_given_up:
            self._request.clear()

    async def answer(self, *, seconds: float | None) -> list[Message]:
        """Wait for the answer; raise ServerBusy if it takes longer, unless None."""
        if seconds is None:
            return await self._answered
        # A separate timer: asyncio.timeout costs several times as much.
        timer = self.loop.call_later(seconds, self._give_up)
        try:
            return await self._answered
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        self._is_given_up = True
        self._request.clear()
        if not self._answered.done():
            self._answered.set_exception(ServerBusy())

    def set_answer(self, answer: list[Message] | BaseException) -> None:
        """Set the answer, or the error instead of one. Only for the event loop."""
        if self._answered.done():
            return
        if isinstance(answer, BaseException):
            # Wrapped: a bare SystemExit would end the event loop, too.
            failure = ApplicationFailed(type(answer).__name__)
            failure.__cause__ = answer
            self._answered.set_exception(failure)
        else:
            self._answered.set_result(answer)


def answer_calls(
    answers: Sequence[tuple[Call, list[Message] | BaseException]],
) -> None:
    """Answer calls of one event loop from another thread; wakes the loop once."""
    if not answers:
        return
    with suppress(RuntimeError):  # the loop has ended, and the requests with it
        answers[0][0].loop.call_soon_threadsafe(_set_answers, answers)


def _set_answers(
    answers: Sequence[tuple[Call, list[Message] | BaseException]],
) -> None:
    for call, answer in answers:
        call.set_answer(answer)
