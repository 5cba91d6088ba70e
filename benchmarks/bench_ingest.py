"""Compares receiving webhooks with a plain DRF view that saves a row."""

from __future__ import annotations

from benchmarks.body import push_body
from benchmarks.load import CONNECTIONS
from benchmarks.options import read_options
from benchmarks.report import as_json, as_table
from benchmarks.servers import benchmark_servers

OPEN_LOOP = (
    "An open loop: accepted requests at 30 % of the rate of `ours`, without and with "
    "as many forged requests from another address:"
)


def main() -> None:
    options = read_options(__doc__, counted="requests", count=3000)
    with benchmark_servers() as servers:
        # Models can be imported only after the settings know the servers.
        from benchmarks.ingest import ingest_targets, measure_ingest

        medians, open_loop = measure_ingest(
            servers, rounds=options.rounds, count=options.count
        )
    targets = ingest_targets(medians, open_loop)
    if options.as_json:
        print(as_json({**medians, **open_loop}, targets))
        return
    print(
        f"{options.count:,} requests a run, over {CONNECTIONS} connections unless it "
        f"says otherwise, a body of {len(push_body()):,} bytes, "
        f"median of {options.rounds}\n"
    )
    tables = (as_table(medians), "", OPEN_LOOP, "", as_table(open_loop), "")
    print(*tables, *(f"- {target}" for target in targets), sep="\n")


if __name__ == "__main__":
    main()
