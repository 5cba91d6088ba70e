"""Compares processing events in batches with one Celery task per event."""

from __future__ import annotations

from benchmarks.body import push_body
from benchmarks.options import read_options
from benchmarks.report import as_json, as_table
from benchmarks.servers import benchmark_servers


def main() -> None:
    options = read_options(__doc__, counted="events", count=2000)
    with benchmark_servers():
        # Models can be imported only after the settings know the servers.
        from benchmarks.pipeline import measure_pipeline, pipeline_targets

        medians = measure_pipeline(rounds=options.rounds, count=options.count)
    targets = pipeline_targets(medians)
    if options.as_json:
        print(as_json(medians, targets))
        return
    print(
        f"{options.count:,} events a run, a body of {len(push_body()):,} bytes, two "
        f"triggers each, median of {options.rounds}\n"
    )
    print(as_table(medians), "", *(f"- {target}" for target in targets), sep="\n")


if __name__ == "__main__":
    main()
