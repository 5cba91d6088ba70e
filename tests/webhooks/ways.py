"""The ways by which a request reaches the receiver.

The test client calls Django directly. Our web server builds its own environ; it calls
Django's WSGI application, or for the requests of a batch the receiver itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import HttpResponse
from django.test.client import ClientHandler

from config.request_classes import WebhooksTogether, request_classes
from config.wsgi import application
from webhooks.receiver import batches
from webhooks.receiver.view import PREFIX
from webserver.limits import Scope
from webserver.reading import Message
from webserver.wsgi import WSGICall, answer_messages, build_environ

WAYS = ("test client", "alone", "in a batch")
_CONTENT = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}


@pytest.fixture(params=WAYS)
def each_way(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Run the test with each of the ways; its clients are Django's `Client`."""
    if request.param == "test client":
        yield
        return
    together = WebhooksTogether() if request.param == "in a batch" else None

    call_django = ClientHandler.__call__

    def answer(handler: ClientHandler, environ: dict[str, Any]) -> Any:
        if not environ["PATH_INFO"].startswith(PREFIX):
            return call_django(handler, environ)
        response = _through_server(environ, together)
        response.wsgi_request = WSGIRequest(environ)  # type: ignore[attr-defined]  # as the handler of Django does
        return response

    monkeypatch.setattr(ClientHandler, "__call__", answer)
    # Django would close the connection of the test, which is in a transaction.
    monkeypatch.setattr(batches, "close_old_connections", lambda: None)
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def _through_server(
    environ: dict[str, Any], together: WebhooksTogether | None
) -> HttpResponse:
    scope, body = _scope_of(environ), environ["wsgi.input"].read()
    webhooks = request_classes(max_api_bytes=0)[0]
    answer = None
    if together is not None and webhooks.is_batched(scope, body):
        [answer] = together([build_environ(scope, body)])
    if answer is None:
        call = WSGICall(_send_nothing)
        start, last = call.run(application, build_environ(scope, body))
    else:
        start, last = answer_messages(answer.status, answer.headers, answer.body)
    headers = {n.decode().title(): v.decode("latin-1") for n, v in start["headers"]}
    return HttpResponse(last["body"], status=start["status"], headers=headers)


def _send_nothing(_: Message) -> None:
    raise AssertionError("The answers of the receiver are small")


def _scope_of(environ: dict[str, Any]) -> Scope:
    """Return the ASGI scope of a request of the test client."""
    names = {
        key: key.removeprefix("HTTP_").replace("_", "-").lower()
        for key in environ
        if key.startswith("HTTP_") and key != "HTTP_COOKIE"
    }
    sent = [
        (name.encode(), str(environ[key]).encode("latin-1"))
        for key, name in (names | _CONTENT).items()
        if environ.get(key)
    ]
    path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/:@!$&'()*+,;=~-._")
    return {
        "type": "http",
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": path,
        "raw_path": path.encode(),
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "root_path": "",
        "headers": sent,
        "client": (environ["REMOTE_ADDR"], 4711),
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
    }
