"""Measures the cost, for a busy installation, of a snapshot held for minutes."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from benchmarks.servers import benchmark_servers


def main() -> None:
    options = _read_options()
    with benchmark_servers(preload="pg_stat_statements") as servers:
        # Models can be imported only after the settings know the servers.
        from benchmarks.snapshot.figures import (
            phase_at,
            phases_table,
            snapshot_targets,
        )
        from benchmarks.snapshot.run import measure_snapshot

        windows, left = measure_snapshot(
            servers,
            events_per_second=options.events,
            minutes=options.minutes,
            window=options.window,
        )
    held = 60 * options.minutes + options.window
    phases = [phase_at(windows, seconds) for seconds in (0, held / 2, held)]
    names = ["before", *(f"held {options.minutes / n:g} min" for n in (2, 1))]
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    print(
        f"{options.events} events/s and 1,000 triggers of a minute; ms / buffers per "
        f"call, median of the last 3 windows of {options.window:g} s. Left at the end: "
        f"{left}. Load average: {loads}\n",
        phases_table(dict(zip(names, phases, strict=True))),
        "",
        *(f"- {target}" for target in snapshot_targets(*phases)),
        sep="\n",
    )


def _read_options() -> argparse.Namespace:
    # Without this, SIGTERM leaves temporary folders behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--events", type=int, default=400, help="per second")
    parser.add_argument("--window", type=float, default=10.0, help="seconds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
