from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The amount to measure: `count` requests or events in each of the `rounds`."""

    rounds: int
    count: int
    as_json: bool


def read_options(description: str | None, *, counted: str, count: int) -> Options:
    """Parse the command line; the option of `count` has the name `counted`."""
    # Without this, SIGTERM leaves temporary folders behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=_positive, default=5)
    parser.add_argument(f"--{counted}", dest="count", type=_positive, default=count)
    parser.add_argument("--json", dest="as_json", action="store_true")
    return Options(**vars(parser.parse_args()))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
