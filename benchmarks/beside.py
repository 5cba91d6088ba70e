from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.leftovers import forget_everything
from benchmarks.open_loop import Offer, offer_all, p99
from benchmarks.report import interleave
from benchmarks.servers import WebServer

if TYPE_CHECKING:
    from benchmarks.ingest import Side

ALONE = "accepted alone"
BESIDE = "accepted beside forged"
SHARE_OF_CAPACITY = 0.3
SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    offered_per_second: float
    answered: float
    median_ms: float
    p99_ms: float


def measure_open_loop(
    accepted: Side, forged: Side, *, capacity: float, rounds: int, web: WebServer
) -> dict[str, OpenRun]:
    """Measure accepted requests alone and beside forged ones of another address."""
    per_second = capacity * SHARE_OF_CAPACITY

    def run(*others: Side) -> OpenRun:
        forget_everything()
        offers = [_offer(accepted, per_second, "127.0.0.1")]
        offers += [_offer(other, per_second, "127.0.0.2") for other in others]
        latencies = sorted(offer_all(offers, port=web.port)[0])
        return OpenRun(
            offered_per_second=per_second,
            answered=len(latencies),
            median_ms=latencies[len(latencies) // 2] * 1000,
            p99_ms=p99(latencies) * 1000,
        )

    return interleave({ALONE: run, BESIDE: lambda: run(forged)}, rounds=rounds)


def _offer(side: Side, per_second: float, source: str) -> Offer:
    return Offer(
        requests=side.requests(int(per_second * SECONDS)),
        per_second=per_second,
        source=source,
        status=side.status,
    )
