"""An application that returns its environ; the web server runs it for test_wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import config.wsgi as _django_is_set_up  # noqa: F401 - by its import
from webserver.wsgi import Environ

# isort: split
from config.request_classes import request_classes
from webserver.adapter import BufferedApplication
from webserver.limits import Limits


def echo(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    texts = {name: text for name, text in environ.items() if isinstance(text, str)}
    texts["body"] = environ["wsgi.input"].read().decode("latin-1")
    content = json.dumps(texts).encode()
    start_response("200 OK", [("Content-Length", str(len(content)))])
    return [content]


application = BufferedApplication(
    echo,
    classes=request_classes(max_api_bytes=1000),
    limits=Limits(body_seconds=30),
    threads=2,
)
