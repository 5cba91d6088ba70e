"""Requests to the naive view and to the door, in one web server, with no worker."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.body import push_body
from benchmarks.cpu import tree_cpu_seconds
from benchmarks.leftovers import forget_everything
from benchmarks.load import build_request, send_all
from benchmarks.report import Target, interleave
from benchmarks.servers import WebServer, web_server
from config.embedded import EmbeddedServers
from webhooks.models import WebhookEndpoint
from webhooks.services.endpoints import create_endpoint

WARM_UP = 400

Headers = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRun:
    requests_per_second: float
    cpu_ms_per_request: float
    web_ms: float
    postgresql_ms: float
    valkey_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Where requests go, and the headers of each."""

    path: str
    headers: Iterator[Headers]

    def requests(self, count: int) -> list[bytes]:
        body = push_body()
        chosen = itertools.islice(self.headers, count)
        return [build_request(self.path, body, headers) for headers in chosen]


def measure_ingest(
    servers: EmbeddedServers, *, rounds: int, count: int
) -> dict[str, IngestRun]:
    with web_server() as web:
        for side in (sides := _sides()).values():
            send_all(side.requests(WARM_UP), port=web.port)
        runs = {
            name: _runner(side, count, web, servers) for name, side in sides.items()
        }
        return interleave(runs, rounds=rounds)


def ingest_targets(medians: dict[str, IngestRun]) -> list[Target]:
    naive, ours = medians["naive"], medians["ours"]
    speed = ours.requests_per_second / naive.requests_per_second
    cost = ours.cpu_ms_per_request / naive.cpu_ms_per_request
    return [
        Target(what="Requests per second", figure=speed, at_least=1.5),
        Target(what="CPU per request", figure=cost, at_most=0.7),
    ]


def _sides() -> dict[str, Side]:
    secret = "benchmarks-benchmarks-benchmarks"  # noqa: S105 - of a throw-away server
    plain, signed = create_endpoint(), create_endpoint(config={"secret": secret})
    return {
        "naive": Side(path="/naive", headers=itertools.repeat({})),
        "ours": Side(path=_path(plain.endpoint), headers=itertools.repeat({})),
        "ours, signed, with a delivery id": Side(
            path=_path(signed.endpoint), headers=_signed(secret)
        ),
    }


def _path(endpoint: WebhookEndpoint) -> str:
    return f"/webhooks/{endpoint.webhook_id}"


def _signed(secret: str) -> Iterator[Headers]:
    digest = hmac.digest(secret.encode(), push_body(), hashlib.sha256).hex()
    for number in itertools.count():
        yield {"X-Webhook-Signature": digest, "webhook-id": f"msg_{number}"}


def _runner(
    side: Side, count: int, web: WebServer, servers: EmbeddedServers
) -> Callable[[], IngestRun]:
    watched = (web.pid, servers.postgres.process.pid, servers.valkey.process.pid)

    def run() -> IngestRun:
        requests = side.requests(count)
        forget_everything()
        before = [tree_cpu_seconds(pid) for pid in watched]
        seconds = send_all(requests, port=web.port)
        after = [tree_cpu_seconds(pid) for pid in watched]
        used = [(a - b) * 1000 / count for a, b in zip(after, before, strict=True)]
        return IngestRun(
            requests_per_second=count / seconds,
            cpu_ms_per_request=sum(used),
            web_ms=used[0],
            postgresql_ms=used[1],
            valkey_ms=used[2],
        )

    return run
