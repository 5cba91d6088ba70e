"""Measures a backlog of agent tasks: messages, fair share, memory."""

from __future__ import annotations

import argparse
import signal
import sys

from benchmarks.report import as_table
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
        f"{', FLUSHALL halfway' if options.flush else ''}\n"
    )
    print(as_table({"backlog": run}), "", sep="\n")
    for target in backlog_targets(run):
        print(f"- {target}")


if __name__ == "__main__":
    main()
