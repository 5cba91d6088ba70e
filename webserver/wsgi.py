"""A request as a WSGI environ (PEP 3333), and the answer as ASGI messages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from webserver.limits import Scope
from webserver.reading import Message

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
WSGIApplication = Callable[..., Iterable[bytes]]
Send = Callable[[Message], None]

# Larger answers are sent in pieces, so that none is held in memory completely.
_BUFFERED_BYTES = 1024 * 1024
# The header becomes HTTP_PROXY, which HTTP clients in child processes would read as
# the proxy to use.
_PROXY = b"proxy"
# They no longer apply: the body is complete, and its length is known.
_TRANSFER_HEADERS = {b"transfer-encoding", b"content-length"}


def build_environ(scope: Scope, body: bytes) -> Environ:
    """Return the environ (PEP 3333) of a request whose body has been read."""
    raw_path: bytes = scope["raw_path"]
    version: str = scope["http_version"]
    query: bytes = scope["query_string"]
    remote, server = scope.get("client") or ("", ""), scope.get("server") or ("", "")
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "REQUEST_URI": (raw_path + b"?" + query if query else raw_path).decode(
            "latin-1"
        ),
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": remote[0],
        "REMOTE_PORT": str(remote[1]),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{'1.0' if version == '1' else version}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    _add_headers(environ, scope["headers"])
    return environ


def _add_headers(environ: Environ, headers: list[tuple[bytes, bytes]]) -> None:
    repeated: dict[str, list[str]] = {}
    for name, value in headers:
        # In an environ X_Forwarded_For and X-Forwarded-For have the same name. A proxy
        # that sets the second would let a client's own X_Forwarded_For pass.
        if b"_" in name or name == _PROXY or name in _TRANSFER_HEADERS:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        if key != "CONTENT_TYPE":
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environ:
            repeated.setdefault(key, [environ[key]]).append(text)
        else:
            environ[key] = text
    # Joining each value to those before it would take time quadratic in their number.
    for key, texts in repeated.items():
        environ[key] = ("; " if key == "HTTP_COOKIE" else ",").join(texts)


class WSGICall:
    """One call of a WSGI application, and its answer as ASGI messages.

    `send` blocks until the server has taken a message. Small answers are returned
    instead, so that the event loop is woken only once for them.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = ""
        self._headers: Headers = []
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_started = False

    def run(self, application: WSGIApplication, environ: Environ) -> list[Message]:
        """Run the application; return the messages that are still to be sent."""
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
        if exc_info and self._is_started:
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
        """Return the message that begins the answer, unless it was sent already."""
        if self._is_started:
            return []
        if not self._status:
            raise RuntimeError("start_response was not called")
        self._is_started = True
        return [_start_message(int(self._status[:3]), self._headers)]

    def _body(self, *, more: bool) -> Message:
        body = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return {"type": "http.response.body", "body": body, "more_body": more}


def answer_messages(status: int, headers: Headers, body: bytes) -> list[Message]:
    """Return a whole answer as ASGI messages."""
    last = {"type": "http.response.body", "body": body, "more_body": False}
    return [_start_message(status, headers), last]


def _start_message(status: int, headers: Headers) -> Message:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers
        ],
    }
