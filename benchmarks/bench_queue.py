"""Counts the messages of a backlog of agent tasks, also if Redis loses its data."""

from __future__ import annotations

import argparse
import signal
import sys

from benchmarks.servers import benchmark_servers

TRIGGERS = 1000


def main() -> None:
    # Without this, SIGTERM leaves temporary folders behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=33_000)
    parser.add_argument("--flush", action="store_true", help="FLUSHALL halfway")
    options = parser.parse_args()
    events = max(1, options.tasks // TRIGGERS)
    with benchmark_servers():
        # Models can be imported only after the settings know the servers.
        from benchmarks.backlog import backlog_targets, make_triggers, measure_backlog

        make_triggers(TRIGGERS)
        run = measure_backlog(events=events, triggers=TRIGGERS, flush=options.flush)
    print(
        f"{run.tasks:,} tasks of {TRIGGERS:,} triggers"
        f"{', FLUSHALL halfway' if options.flush else ''}\n\n"
        "| tasks | succeeded | messages | longest queue | seconds |\n"
        "| --: | --: | --: | --: | --: |\n"
        f"| {run.tasks:,} | {run.succeeded:,} | {run.messages:,} "
        f"| {run.longest_queue:,} | {run.seconds:.0f} |\n"
    )
    for target in backlog_targets(run, flush=options.flush):
        print(f"- {target}")


if __name__ == "__main__":
    main()
