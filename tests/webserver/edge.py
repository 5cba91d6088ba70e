"""The server's side of ASGI, played."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from webserver.adapter import BufferedApplication
from webserver.body import Message, Scope
from webserver.environ import Environ
from webserver.limits import Limits

Headers = list[tuple[bytes, bytes]]
HOST = (b"host", b"tickhook.test")
LIMITS = Limits(body_seconds=5, max_api_bytes=100)


def make_scope(
    path: str = "/api/v1/x", *, headers: Headers | None = None, **changes: Any
) -> Scope:
    """Return what the server says of a request; a Host is added to the headers."""
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
    """Sends pieces of a body and then, where it is not over, no more or no longer."""

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


def ask(
    sender: Sender, scope: Scope, application: Any = echo, limits: Limits = LIMITS
) -> Sender:
    """Have one request answered; the sender knows what came of it."""
    buffered = BufferedApplication(application, limits=limits, threads=1)
    asyncio.run(buffered(scope, sender.receive, sender.send))
    return sender
