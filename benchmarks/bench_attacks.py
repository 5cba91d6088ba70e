"""Measures receiving webhooks during cheap attacks on the web server."""

from __future__ import annotations

import argparse
import signal
import sys

from benchmarks.report import as_json, as_table
from benchmarks.servers import benchmark_servers


def main() -> None:
    # Without this, SIGTERM leaves temporary folders behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--settle", type=float, default=5)
    parser.add_argument("--only", help="part of the name of an attack")
    parser.add_argument("--json", dest="as_json", action="store_true")
    options = parser.parse_args()
    with benchmark_servers():
        # Models can be imported only after the settings know the servers.
        from benchmarks.attacks.run import PER_SECOND, attack_targets, measure_attacks

        runs = measure_attacks(
            seconds=options.seconds, settle=options.settle, only=options.only or ""
        )
    targets = attack_targets(runs)
    if options.as_json:
        print(as_json(runs, targets))
        return
    print(
        f"{PER_SECOND} signed deliveries a second for {options.seconds:g} s, each on a "
        f"new connection, after {options.settle:g} s of the attack\n"
    )
    print(as_table(runs), "", *(f"- {target}" for target in targets), sep="\n")


if __name__ == "__main__":
    main()
