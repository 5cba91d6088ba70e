"""Watches the memory of the web processes while they receive webhooks."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.options import read_options
from benchmarks.report import Target, as_json, as_table
from benchmarks.servers import benchmark_servers, web_server
from benchmarks.usage import children_of, resident_mb

CONNECTIONS = 64
STEPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory in MB of the smallest and of the largest web process."""

    smallest_mb: float
    largest_mb: float


def main() -> None:
    options = read_options(__doc__, counted="requests", count=200_000)
    with benchmark_servers():
        memory = _measure(options.count)
    first, *_, last = memory.values()
    grown = Target(
        what="Memory of the largest process at the end",
        figure=last.largest_mb / first.largest_mb,
        unit="times that after the first tenth",
        at_most=1.05,
    )
    if options.as_json:
        print(as_json(memory, [grown]))
        return
    print(f"Over {CONNECTIONS} connections, after so many requests:\n")
    print(as_table(memory), "", f"- {grown}", sep="\n")


def _measure(count: int) -> dict[str, Memory]:
    # Models can be imported only after the settings know the servers.
    from benchmarks.ingest import FORGED, OURS, make_sides
    from benchmarks.load import send_all
    from benchmarks.reset import reset_all

    step = count // STEPS
    found: dict[str, Memory] = {}
    with web_server() as web:
        sides = make_sides()
        for number in range(1, STEPS + 1):
            for side, share in ((sides[OURS], 0.9), (sides[FORGED], 0.1)):
                requests = side.requests(int(step * share))
                send_all(
                    requests,
                    port=web.port,
                    status=side.status,
                    connections=CONNECTIONS,
                )
            reset_all()
            sizes = [resident_mb(pid) for pid in children_of(web.pid)]
            found[f"{step * number:,}"] = Memory(
                smallest_mb=min(sizes), largest_mb=max(sizes)
            )
    return found


if __name__ == "__main__":
    main()
