"""Measures how webhooks are received, beside a plain DRF view that saves a row."""

from __future__ import annotations

from benchmarks.body import push_body
from benchmarks.load import CONNECTIONS
from benchmarks.options import read_options
from benchmarks.report import as_json, as_table
from benchmarks.servers import benchmark_servers


def main() -> None:
    options = read_options(__doc__, counted="requests", count=3000)
    with benchmark_servers() as servers:
        # Models can be imported only now that the settings know the servers.
        from benchmarks.ingest import ingest_targets, measure_ingest

        medians = measure_ingest(servers, rounds=options.rounds, count=options.count)
    targets = ingest_targets(medians)
    if options.as_json:
        print(as_json(medians, targets))
        return
    print(
        f"{options.count:,} requests a run over {CONNECTIONS} connections, a body of "
        f"{len(push_body()):,} bytes, median of {options.rounds}\n"
    )
    print(as_table(medians), "", *(f"- {target}" for target in targets), sep="\n")


if __name__ == "__main__":
    main()
