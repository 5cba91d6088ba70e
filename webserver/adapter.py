from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from common.api.errors import PROBLEM_JSON, problem_body, problem_of, request_id_of
from common.errors import TickhookError
from webserver.batches import AnswerTogether, BatchThread
from webserver.calls import Call, answer_calls
from webserver.limits import Limits, RequestClass, Scope
from webserver.reading import (
    Message,
    Receive,
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


class BufferedApplication:
    """An ASGI application that reads a request completely and calls a WSGI one.

    Reading uses no thread; the WSGI application runs in one of a few. A request belongs
    to the first of the `classes` that matches its path; the last must match any path.
    `answer_together` answers the small requests of a class that wait at the same time.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        classes: Sequence[RequestClass],
        limits: Limits,
        threads: int,
        answer_together: AnswerTogether | None = None,
    ) -> None:
        self._application = application
        self._batches = (
            None if answer_together is None else BatchThread(answer_together)
        )
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
        call = Call(scope, body)
        request_class = resources.request_class
        run = partial(resources.threads.run, partial(self._run, call, send))
        if self._batches is not None and request_class.is_batched(scope, body):
            self._batches.add(call, answer_alone=run)
        else:
            run()
        return await call.answer(
            seconds=request_class.seconds_to_answer(scope["headers"])
        )

    def _run(self, call: Call, send: AsyncSend) -> None:
        """Answer a call in a thread, unless its deadline came first."""

        def send_and_wait(message: Message) -> None:
            sending = _send_all(send, [message])
            sent = asyncio.run_coroutine_threadsafe(sending, call.loop)
            sent.result(_SEND_SECONDS)

        request = call.take()
        if request is None:
            return
        answer: list[Message] | BaseException
        try:
            environ = build_environ(*request)
            answer = WSGICall(send_and_wait).run(self._application, environ)
        except BaseException as error:  # noqa: BLE001 - raised in the event loop
            answer = error
        answer_calls([(call, answer)])


async def _send_all(send: AsyncSend, messages: list[Message]) -> None:
    for message in messages:
        await send(message)


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
