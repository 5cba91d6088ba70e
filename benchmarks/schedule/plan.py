from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The amounts to measure; `own_sizes` are measured only for Tickhook."""

    sizes: Sequence[int]
    own_sizes: Sequence[int] = ()
    most_due: int = 10_000
    due_per_second: int = 1000
    load_seconds: int = 20
    idle_seconds: int = 10
    edits: int = 3
    as_json: bool = False


def read_plan(description: str | None, arguments: Sequence[str] | None = None) -> Plan:
    """Read the command line, or `arguments`."""
    # Without this, SIGTERM leaves temporary folders behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sizes", type=_sizes, default=(1000, 10_000, 100_000))
    parser.add_argument(
        "--million", action="store_true", help="also a million entries of ours"
    )
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    parser.add_argument("--json", dest="as_json", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        return _quick(as_json=options.as_json)
    return Plan(
        sizes=options.sizes,
        own_sizes=(MILLION,) if options.million else (),
        as_json=options.as_json,
    )


def _quick(*, as_json: bool) -> Plan:
    return Plan(
        sizes=(100,),
        due_per_second=50,
        load_seconds=2,
        idle_seconds=1,
        edits=1,
        as_json=as_json,
    )


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(int(part) for part in text.split(","))
    if min(sizes) < 10:
        raise argparse.ArgumentTypeError("at least 10 entries")
    return sizes
