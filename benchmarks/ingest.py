"""Requests to the naive view and to the door, in one web server, with no worker.

Ours verifies a signature, asks all limits and knows deliveries again by their ids; the
naive view does none of it.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.beside import ALONE, BESIDE, OpenRun, measure_open_loop
from benchmarks.body import push_body
from benchmarks.cpu import tree_cpu_seconds
from benchmarks.leftovers import forget_everything
from benchmarks.load import build_request, send_all
from benchmarks.report import Target, interleave
from benchmarks.servers import WebServer, web_server
from local.embedded import EmbeddedServers
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint

WARM_UP = 400
NAIVE = "naive"
UNSIGNED = "ours, unsigned, without a delivery id"
OURS = "ours"
FORGED = "ours, forged"

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
    """Where requests go, the headers of each, and how they are answered."""

    path: str
    headers: Iterator[Headers]
    status: int = 200

    def requests(self, count: int) -> list[bytes]:
        body = push_body()
        chosen = itertools.islice(self.headers, count)
        return [build_request(self.path, body, headers) for headers in chosen]


def measure_ingest(
    servers: EmbeddedServers, *, rounds: int, count: int
) -> tuple[dict[str, IngestRun], dict[str, OpenRun]]:
    """Return the medians of the closed loop and those of the open one."""
    with web_server() as web:
        sides = make_sides()
        for side in sides.values():
            send_all(side.requests(WARM_UP), port=web.port, status=side.status)
        runs = {
            name: _runner(side, count, web, servers) for name, side in sides.items()
        }
        medians = interleave(runs, rounds=rounds)
        capacity = medians[OURS].requests_per_second
        return medians, measure_open_loop(
            sides[OURS], sides[FORGED], capacity=capacity, rounds=rounds, web=web
        )


def ingest_targets(
    medians: dict[str, IngestRun], open_loop: dict[str, OpenRun]
) -> list[Target]:
    naive, ours, forged = medians[NAIVE], medians[OURS], medians[FORGED]
    speed = ours.requests_per_second / naive.requests_per_second
    cost = ours.cpu_ms_per_request / naive.cpu_ms_per_request
    forgery = forged.cpu_ms_per_request / ours.cpu_ms_per_request
    slower = open_loop[BESIDE].p99_ms / open_loop[ALONE].p99_ms
    return [
        Target(what="Requests per second", figure=speed, at_least=1.5),
        Target(what="CPU per request", figure=cost, at_most=0.7),
        Target(
            what="CPU of a forged request",
            figure=forgery,
            unit="times an accepted one",
            at_most=0.6,
        ),
        Target(
            what="p99 beside as many forged requests",
            figure=slower,
            unit="times alone",
            at_most=2,
        ),
    ]


def make_sides() -> dict[str, Side]:
    secret = "benchmarks-benchmarks-benchmarks"  # noqa: S105 - of a throw-away server
    plain, signed = create_endpoint(), create_endpoint(config={"secret": secret})
    path = _path(signed.endpoint)
    return {
        NAIVE: Side(path="/naive", headers=itertools.repeat({})),
        UNSIGNED: Side(path=_path(plain.endpoint), headers=itertools.repeat({})),
        OURS: Side(path=path, headers=_signed(secret)),
        FORGED: Side(path=path, headers=_signed("another secret"), status=401),
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
        seconds = send_all(requests, port=web.port, status=side.status)
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
