from __future__ import annotations

import asyncio
import json
from asyncio import AbstractEventLoop, Future
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from common.api.errors import PROBLEM_JSON, problem_body, problem_of, request_id_of
from common.errors import TickhookError
from webserver.limits import Limits, RequestClass, ServerBusy
from webserver.reading import (
    Message,
    Receive,
    Scope,
    check_head,
    discard_some,
    read_body,
)
from webserver.threads import ClassResources, allocate_resources
from webserver.wsgi import WSGIApplication, WSGICall, build_environ

AsyncSend = Callable[[Message], Awaitable[None]]

# A client that reads nothing of a large answer for so long is considered gone.
_SEND_SECONDS = 30
_TOO_MANY_REQUESTS = 429


class ApplicationFailed(Exception):
    """The application raised an error instead of answering; see the cause."""


class BufferedApplication:
    """An ASGI application that reads a request completely and calls a WSGI one.

    Reading uses no thread; the WSGI application runs in one of a few. A request belongs
    to the first of the `classes` that matches its path; the last must match any path.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        classes: Sequence[RequestClass],
        limits: Limits,
        threads: int,
    ) -> None:
        self._application = application
        self._limits = limits
        self._resources = allocate_resources(classes, limits=limits, threads=threads)
        self.delayed_answers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: AsyncSend) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"The type {scope['type']} is not supported")
        resources = next(
            one for one in self._resources if one.request_class.matches(scope["path"])
        )
        try:
            check_head(scope)
            with resources.capacity.slot() as slot:
                body = await read_body(
                    scope,
                    receive,
                    request_class=resources.request_class,
                    seconds=self._limits.body_seconds,
                    slot=slot,
                )
                messages = await self._call(scope, body, send, resources)
                is_throttled = messages[0].get("status") == _TOO_MANY_REQUESTS
                if not (is_throttled and resources.request_class.delays_throttled):
                    await _send_all(send, messages)
                    return
            # The slot is free again: a delayed answer uses no capacity.
            await self._delay()
            await _send_all(send, messages)
        except TickhookError as error:
            await _send_all(send, _refusal(error, scope, resources.request_class))
            await discard_some(receive)

    async def _delay(self) -> None:
        """Wait for a moment, unless many answers are delayed already."""
        if self.delayed_answers >= self._limits.max_delayed:
            return
        self.delayed_answers += 1
        try:
            await asyncio.sleep(self._limits.throttle_delay_seconds)
        finally:
            self.delayed_answers -= 1

    async def _call(
        self, scope: Scope, body: bytes, send: AsyncSend, resources: ClassResources
    ) -> list[Message]:
        """Run the application in a thread; return the messages still to be sent."""
        loop = asyncio.get_running_loop()
        answered: Future[list[Message]] = loop.create_future()
        # Either a thread or the deadline removes the request from the list. So no
        # thread starts a request after its deadline, and a request that waits in vain
        # for a thread does not keep its body in memory.
        pending = [(scope, body)]

        def send_and_wait(message: Message) -> None:
            sent = asyncio.run_coroutine_threadsafe(_send_all(send, [message]), loop)
            sent.result(_SEND_SECONDS)

        def job() -> None:
            try:
                request = pending.pop()
            except IndexError:
                return
            try:
                environ = build_environ(*request)
                messages = WSGICall(send_and_wait).run(self._application, environ)
            except BaseException as error:  # noqa: BLE001 - raised in the event loop
                _call_in_loop(loop, _set_error, answered, error)
            else:
                _call_in_loop(loop, _set_messages, answered, messages)

        resources.threads.run(job)
        seconds = resources.request_class.seconds_to_answer(scope["headers"])
        try:
            async with asyncio.timeout(seconds):
                return await answered
        except TimeoutError as error:
            pending.clear()
            raise ServerBusy from error


async def _send_all(send: AsyncSend, messages: list[Message]) -> None:
    for message in messages:
        await send(message)


def _set_messages(answered: Future[list[Message]], messages: list[Message]) -> None:
    if not answered.done():
        answered.set_result(messages)


def _set_error(answered: Future[list[Message]], error: BaseException) -> None:
    """Wrap the error: a bare SystemExit would end the event loop, too."""
    if not answered.done():
        failure = ApplicationFailed(type(error).__name__)
        failure.__cause__ = error
        answered.set_exception(failure)


def _call_in_loop(loop: AbstractEventLoop, *call: Any) -> None:
    with suppress(RuntimeError):  # the loop has ended, and the request with it
        loop.call_soon_threadsafe(*call)


def _refusal(
    error: TickhookError, scope: Scope, request_class: RequestClass
) -> list[Message]:
    """Return the answer to a request that is not read to its end, as ASGI messages."""
    problem = problem_of(error)
    sent_ids = (v for name, v in scope["headers"] if name == b"x-request-id")
    request_id = request_id_of(next(sent_ids, b"").decode("latin-1"))
    body = problem_body(problem, request_id=request_id)
    body["instance"] = scope["path"]
    body |= request_class.error_members(problem.detail)
    content = json.dumps(body).encode()
    headers = {
        "content-type": PROBLEM_JSON,
        "content-length": str(len(content)),
        **{name.lower(): value for name, value in problem.headers.items()},
    }
    if scope["http_version"].startswith("1"):
        headers["connection"] = "close"
    return [
        {
            "type": "http.response.start",
            "status": problem.status,
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        },
        {"type": "http.response.body", "body": content, "more_body": False},
    ]
