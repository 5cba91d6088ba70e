"""An ASGI server in miniature, for tests of the application that it calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from config.request_classes import ANSWER_SECONDS, request_classes
from webserver.adapter import BufferedApplication
from webserver.limits import Limits, RequestClass, Scope
from webserver.reading import Message
from webserver.wsgi import Environ

Headers = list[tuple[bytes, bytes]]
HOST = (b"host", b"tickhook.test")
LIMITS = Limits(body_seconds=5)
MAX_API_BYTES = 100


def make_scope(
    path: str = "/api/v1/x", *, headers: Headers | None = None, **changes: Any
) -> Scope:
    """Return the ASGI scope of a request; a Host is added to the headers."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [HOST, *(headers or [])],
        "client": ("192.0.2.1", "4711"),
        "server": ("127.0.0.1", "8000"),
        **changes,
    }


def of_length(length: int) -> Headers:
    return [(b"content-length", str(length).encode())]


CHUNKED: Headers = [(b"transfer-encoding", b"chunked")]


@dataclass
class Sender:
    """A client that sends pieces of a body.

    Unless the body `is_over` after them, the client sends nothing more, or disconnects
    if it `is_gone`.
    """

    pieces: list[bytes]
    is_over: bool = True
    is_gone: bool = False
    sent: list[Message] = field(default_factory=list)
    reads: int = 0

    async def receive(self) -> Message:
        self.reads += 1
        if self.pieces:
            piece = self.pieces.pop(0)
            more = bool(self.pieces) or not self.is_over
            return {"type": "http.request", "body": piece, "more_body": more}
        if not self.is_gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {k.decode(): v.decode("latin-1") for k, v in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


def echo(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read()]


def buffer_application(
    application: Any,
    *,
    limits: Limits = LIMITS,
    threads: int = 1,
    answer_seconds: float = ANSWER_SECONDS,
    max_waiting: int = 100,
) -> BufferedApplication:
    classes = request_classes(
        max_api_bytes=MAX_API_BYTES, answer_seconds=answer_seconds
    )
    return BufferedApplication(
        application,
        classes=[replace(one, max_waiting=max_waiting) for one in classes],
        limits=limits,
        threads=threads,
    )


def class_of(path: str) -> RequestClass:
    classes = request_classes(max_api_bytes=MAX_API_BYTES)
    return next(one for one in classes if one.matches(path))


def ask(
    sender: Sender, scope: Scope, application: Any = echo, limits: Limits = LIMITS
) -> Sender:
    """Send one request; return its sender, which has the answer."""
    buffered = buffer_application(application, limits=limits)
    asyncio.run(buffered(scope, sender.receive, sender.send))
    return sender
