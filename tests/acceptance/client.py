"""Clients that send webhooks and use the API over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPConnection
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

_TIMEOUT_SECONDS = 30


class Site(Protocol):
    """The URL of an installation and the token of its administrator."""

    url: str
    api_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The response to a request, and the seconds it took."""

    status: int
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    path: str
    method: str = "POST"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def send(url: str, request: Request) -> Answer:
    """Send one request on a new connection."""
    return send_all(url, [request], senders=1)[0]


def send_all(
    url: str, requests: Sequence[Request], *, senders: int = 8
) -> list[Answer]:
    """Send requests from a few senders at once; return the answers in their order."""
    shares = [requests[start::senders] for start in range(senders)]
    with ThreadPoolExecutor(senders) as pool:
        answered = list(pool.map(lambda share: _send_share(url, share), shares))
    answers: dict[int, Answer] = {}
    for start, share in enumerate(answered):
        answers |= {start + senders * place: a for place, a in enumerate(share)}
    return [answers[place] for place in range(len(requests))]


class Api:
    """A client of the API with an administrator's token."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def get(self, path: str) -> Any:
        """Return the JSON at a path below `/api/v1`; fail unless the status is 200."""
        answer = self._send("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def get_bytes(self, path: str) -> bytes:
        answer = self._send("GET", path)
        assert answer.status == 200, answer
        return answer.body

    def post(self, path: str, content: Mapping[str, object] | None = None) -> Any:
        answer = self._send("POST", path, content or {})
        assert answer.status in {200, 201, 202}, answer
        return answer.json

    def patch(self, path: str, content: Mapping[str, object]) -> Any:
        answer = self._send("PATCH", path, content)
        assert answer.status == 200, answer
        return answer.json

    def delete(self, path: str) -> None:
        answer = self._send("DELETE", path)
        assert answer.status == 204, answer

    def audit(self, trigger_id: str, start: datetime, end: datetime) -> Any:
        """Return a trigger's ledger of the instants after `start` and up to `end`."""
        since = start + timedelta(microseconds=1)
        asked = urlencode({"from": since.isoformat(), "to": end.isoformat()})
        return self.get(f"/triggers/{trigger_id}/audit?{asked}")

    def make_echo_agent(self, name: str = "echo") -> str:
        """Create an agent that returns its parameters as its result; return its id."""
        agent = self.post(
            "/agents",
            {
                "name": name,
                "backend": "celery",
                "config": {"task": "agents.tasks.echo"},
            },
        )
        return str(agent["id"])

    def make_trigger(self, **fields: object) -> dict[str, Any]:
        """Create a trigger without an hourly limit."""
        made: dict[str, Any] = self.post(
            "/triggers", {"max_executions_per_hour": None, **fields}
        )
        return made

    def request(
        self, method: str, path: str, content: Mapping[str, object] | None = None
    ) -> Request:
        """Return a request to a path below `/api/v1` without sending it."""
        headers = {
            "Authorization": f"Token {self._site.api_token}",
            "Content-Type": "application/json",
        }
        body = b"" if content is None else json.dumps(content).encode()
        return Request(method=method, path=f"/api/v1{path}", body=body, headers=headers)

    def _send(
        self, method: str, path: str, content: Mapping[str, object] | None = None
    ) -> Answer:
        return send(self._site.url, self.request(method, path, content))


def path_of(webhook: Mapping[str, Any]) -> str:
    """Return the path of a trigger's webhook URL."""
    return urlsplit(str(webhook["webhook_url"])).path


def _send_share(url: str, requests: Sequence[Request]) -> list[Answer]:
    address = urlsplit(url)
    connection = HTTPConnection(
        address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS
    )
    with closing(connection):
        return [_send_on(connection, request) for request in requests]


def _send_on(connection: HTTPConnection, request: Request) -> Answer:
    started = time.monotonic()
    connection.request(
        request.method, request.path, body=request.body, headers=dict(request.headers)
    )
    with connection.getresponse() as response:
        body = response.read()
    return Answer(status=response.status, body=body, seconds=time.monotonic() - started)
