"""Requests to the naive view and to the receiver, in one web server, with no worker.

The receiver verifies a signature, checks all limits and detects repeated deliveries;
the naive view does none of it. A batch contains what waits, so the connections decide
how large batches are: both sides are measured with one, with 16 and with 64 of them.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.body import push_body
from benchmarks.load import CONNECTIONS, build_request, send_all
from benchmarks.open_loop import Offer, offer_all, p99
from benchmarks.report import Target, interleave
from benchmarks.reset import reset_all
from benchmarks.servers import WebServer, web_server
from benchmarks.usage import tree_cpu_seconds
from local.embedded import EmbeddedServers
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint

ONLY_ACCEPTED = "accepted only"
WITH_FORGED = "accepted with forged"
SHARE_OF_CAPACITY = 0.3
SECONDS = 5
WARM_UP = 400
NAIVE = "naive"
UNSIGNED = "ours, unsigned, without a delivery id"
OURS = "ours"
FORGED = "ours, forged"
MANY = "ours, 500 endpoints"
ENDPOINTS = 500
FEW_CONNECTIONS, MORE_CONNECTIONS = 1, 64

Headers = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRun:
    requests_per_second: float
    cpu_ms_per_request: float
    web_ms: float
    postgresql_ms: float
    valkey_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    offered_per_second: float
    answered: float
    median_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The paths of requests, the headers of each, and the status of the responses."""

    paths: Iterator[str]
    headers: Iterator[Headers]
    status: int = 200

    def requests(self, count: int) -> list[bytes]:
        body = push_body()
        chosen = itertools.islice(zip(self.paths, self.headers, strict=True), count)
        return [build_request(path, body, headers) for path, headers in chosen]


def measure_ingest(
    servers: EmbeddedServers, *, rounds: int, count: int
) -> tuple[dict[str, IngestRun], dict[str, OpenRun]]:
    """Return the medians of the closed loop and those of the open loop."""
    with web_server() as web:
        sides = make_sides()
        for side in sides.values():
            send_all(side.requests(WARM_UP), port=web.port, status=side.status)
        runs = {
            name: _runner(side, count, web, servers) for name, side in sides.items()
        }
        for connections in (FEW_CONNECTIONS, MORE_CONNECTIONS):
            for name in (NAIVE, OURS):
                runs[over(name, connections)] = _runner(
                    sides[name], count, web, servers, connections=connections
                )
        medians = interleave(runs, rounds=rounds)
        capacity = medians[OURS].requests_per_second
        return medians, measure_open_loop(
            sides[OURS], sides[FORGED], capacity=capacity, rounds=rounds, web=web
        )


def measure_open_loop(
    accepted: Side, forged: Side, *, capacity: float, rounds: int, web: WebServer
) -> dict[str, OpenRun]:
    """Measure accepted requests, without and with forged ones of another address."""
    per_second = capacity * SHARE_OF_CAPACITY

    def run(*others: Side) -> OpenRun:
        reset_all()
        offers = [_offer(accepted, per_second, "127.0.0.1")]
        offers += [_offer(other, per_second, "127.0.0.2") for other in others]
        latencies = sorted(offer_all(offers, port=web.port)[0])
        return OpenRun(
            offered_per_second=per_second,
            answered=len(latencies),
            median_ms=latencies[len(latencies) // 2] * 1000,
            p99_ms=p99(latencies) * 1000,
        )

    return interleave(
        {ONLY_ACCEPTED: run, WITH_FORGED: lambda: run(forged)}, rounds=rounds
    )


def _offer(side: Side, per_second: float, source: str) -> Offer:
    return Offer(
        requests=side.requests(int(per_second * SECONDS)),
        per_second=per_second,
        source=source,
        status=side.status,
    )


def ingest_targets(
    medians: dict[str, IngestRun], open_loop: dict[str, OpenRun]
) -> list[Target]:
    slower = open_loop[WITH_FORGED].p99_ms / open_loop[ONLY_ACCEPTED].p99_ms
    return [
        *_targets_over(CONNECTIONS, medians, speed=2.2, cpu=0.4),
        *_targets_over(MORE_CONNECTIONS, medians, speed=3, cpu=0.3),
        Target(
            what="p99 with as many forged requests",
            figure=slower,
            unit="times that without",
            at_most=2,
        ),
    ]


def _targets_over(
    connections: int, medians: dict[str, IngestRun], *, speed: float, cpu: float
) -> list[Target]:
    naive, ours = (medians[over(name, connections)] for name in (NAIVE, OURS))
    faster = ours.requests_per_second / naive.requests_per_second
    cost = ours.cpu_ms_per_request / naive.cpu_ms_per_request
    where = f"over {connections} connections"
    return [
        Target(what=f"Requests per second {where}", figure=faster, at_least=speed),
        Target(what=f"CPU per request {where}", figure=cost, at_most=cpu),
    ]


def over(name: str, connections: int) -> str:
    """Return the name of a side that is measured over so many connections."""
    return name if connections == CONNECTIONS else f"{name}, {connections} connections"


def make_sides() -> dict[str, Side]:
    secret = "benchmarks-benchmarks-benchmarks"  # noqa: S105 - of a throw-away server
    config = {"secret": secret}
    plain, signed = create_endpoint(), create_endpoint(config=config)
    many = [create_endpoint(config=config).endpoint for _ in range(ENDPOINTS)]
    path = _path(signed.endpoint)
    return {
        NAIVE: _side("/naive", headers=itertools.repeat({})),
        UNSIGNED: _side(_path(plain.endpoint), headers=itertools.repeat({})),
        OURS: _side(path, headers=_signed(secret)),
        FORGED: _side(path, headers=_signed("another secret"), status=401),
        MANY: _side(*map(_path, many), headers=_signed(secret)),
    }


def _side(*paths: str, headers: Iterator[Headers], status: int = 200) -> Side:
    return Side(paths=itertools.cycle(paths), headers=headers, status=status)


def _path(endpoint: WebhookEndpoint) -> str:
    return f"/webhooks/{endpoint.webhook_id}"


def _signed(secret: str) -> Iterator[Headers]:
    digest = hmac.digest(secret.encode(), push_body(), hashlib.sha256).hex()
    for number in itertools.count():
        yield {"X-Webhook-Signature": digest, "webhook-id": f"msg_{number}"}


def _runner(
    side: Side,
    count: int,
    web: WebServer,
    servers: EmbeddedServers,
    *,
    connections: int = CONNECTIONS,
) -> Callable[[], IngestRun]:
    watched = (web.pid, servers.postgres.process.pid, servers.valkey.process.pid)

    def run() -> IngestRun:
        requests = side.requests(count)
        reset_all()
        before = [tree_cpu_seconds(pid) for pid in watched]
        seconds = send_all(
            requests, port=web.port, status=side.status, connections=connections
        )
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
