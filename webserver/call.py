from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from webserver.body import Message
from webserver.environ import Environ

Headers = list[tuple[str, str]]
WSGIApplication = Callable[..., Iterable[bytes]]
Send = Callable[[Message], None]

# What is larger goes out in pieces, so that no answer is held whole.
_BUFFERED_BYTES = 1024 * 1024


class Call:
    """One call of a WSGI application, and its answer as ASGI messages.

    `send` waits until a message has been taken. Answers that are not large are returned
    instead: for them the caller need not be woken twice.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = ""
        self._headers: Headers = []
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_begun = False

    def run(self, application: WSGIApplication, environ: Environ) -> list[Message]:
        """Return the messages that are left to send."""
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        iterable = application(environ, self._start_response)
        try:
            for piece in iterable:
                if is_head:
                    break
                self._write(piece)
        finally:
            if close := getattr(iterable, "close", None):
                close()
        if is_head:
            self._pieces.clear()
        return [*self._start(), self._body(more=False)]

    def _start_response(
        self, status: str, headers: Headers, exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info and self._is_begun:
            raise exc_info[1].with_traceback(exc_info[2])
        if self._status and not exc_info:
            raise RuntimeError("start_response was called twice")
        self._status, self._headers = status, headers
        return self._write

    def _write(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _BUFFERED_BYTES:
            for message in [*self._start(), self._body(more=True)]:
                self._send(message)

    def _start(self) -> list[Message]:
        """Return the message that begins the answer, unless it is under way."""
        if self._is_begun:
            return []
        if not self._status:
            raise RuntimeError("start_response was not called")
        self._is_begun = True
        return [
            {
                "type": "http.response.start",
                "status": int(self._status[:3]),
                "headers": [
                    (name.lower().encode("latin-1"), value.encode("latin-1"))
                    for name, value in self._headers
                ],
            }
        ]

    def _body(self, *, more: bool) -> Message:
        body = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return {"type": "http.response.body", "body": body, "more_body": more}
