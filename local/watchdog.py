"""Ends the stack's programs when the stack itself was killed.

The kernel tells only a program's first process that its parent died; this one, in a
session of its own, ends their whole process groups. It runs as a file, with nothing but
the standard library, so that it starts at once and imports nothing that could fail.

Standard input carries one JSON list of process groups a line, the last one being the
truth; its end means that the stack is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time

_GRACE_SECONDS = 4.0


def main() -> None:
    groups: list[int] = []
    for line in sys.stdin:
        # A stack that was killed while writing leaves half a line.
        with contextlib.suppress(ValueError):
            groups = json.loads(line)
    end_groups(groups)


def end_groups(groups: list[int]) -> None:
    """Ask the groups to end, and kill what is left of them after a grace period."""
    deadline = time.monotonic() + _GRACE_SECONDS
    left = [group for group in groups if _signal(group, signal.SIGTERM)]
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [group for group in left if _signal(group, 0)]
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Send a signal to a group; return False if nobody is left in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
