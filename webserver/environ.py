from __future__ import annotations

import sys
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from webserver.body import Scope

Environ = dict[str, Any]

# Its environment variable would be taken for a proxy to use by what runs as a child.
_PROXY = b"proxy"
# Their meaning ends here: the body is whole, and its length is known.
_OF_THE_TRANSFER = {b"transfer-encoding", b"content-length"}


def build_environ(scope: Scope, body: bytes) -> Environ:
    """Return the environ (PEP 3333) of a request whose body has been read."""
    raw_path: bytes = scope["raw_path"]
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
        "SERVER_PROTOCOL": _protocol(scope["http_version"]),
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
        # In an environ X_Forwarded_For cannot be told from X-Forwarded-For: it would
        # pass the proxy that sets the one and never saw the other.
        if b"_" in name or name == _PROXY or name in _OF_THE_TRANSFER:
            continue
        key = _key(name)
        text = value.decode("latin-1")
        if key in environ:
            repeated.setdefault(key, [environ[key]]).append(text)
        else:
            environ[key] = text
    # Joined once: joining each value to those before it takes time quadratic in their
    # number.
    for key, texts in repeated.items():
        environ[key] = ("; " if key == "HTTP_COOKIE" else ",").join(texts)


def _protocol(version: str) -> str:
    return "HTTP/1.0" if version == "1" else f"HTTP/{version}"


def _key(name: bytes) -> str:
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key == "CONTENT_TYPE" else f"HTTP_{key}"
