"""Ends the programs of the stack if the stack itself is killed.

The kernel signals the death of a process only to its direct children. The watchdog, in
a session of its own, ends their whole process groups. This file runs as a script, with
the standard library only, so that it starts fast and without an import that can fail.

Each line of the standard input is a JSON list of process groups and replaces the one
before it. The end of the input means that the stack has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

_GRACE_SECONDS = 4.0


class Watchdog:
    """The stack's handle of its watchdog process, and of the groups that it ends."""

    def __init__(self, lock: int) -> None:
        """Start the process; it holds the lock until all groups have ended."""
        self._lock = lock
        self._groups: list[int] = []
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the pipe: the watchdog ends the groups and then itself."""
        os.close(self._pipe)
        self._process.wait()

    def watch(self, groups: Iterable[int]) -> None:
        """Replace the list of groups, and the watchdog itself if it died."""
        self._groups = list(groups)
        self.check()
        self._send_groups()

    def check(self) -> None:
        """Start another watchdog process if this one was killed."""
        if self._process.poll() is not None:
            os.close(self._pipe)
            self._process = self._start()
            self._send_groups()

    def _start(self) -> subprocess.Popen[bytes]:
        reading, self._pipe = os.pipe()
        try:
            return subprocess.Popen(  # noqa: S603 (no shell; a file of ours)
                [sys.executable, "-I", "-S", os.path.abspath(__file__)],
                stdin=reading,
                cwd="/",
                start_new_session=True,
                pass_fds=[self._lock],
            )
        finally:
            os.close(reading)

    def _send_groups(self) -> None:
        # A watchdog that died just now is replaced by the next check.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, json.dumps(self._groups).encode() + b"\n")


def main() -> None:
    groups: list[int] = []
    for line in sys.stdin:
        # A stack that was killed while it wrote leaves half a line.
        with contextlib.suppress(ValueError):
            groups = json.loads(line)
    end_groups(groups)


def end_groups(groups: list[int]) -> None:
    """Send SIGTERM to the groups, and kill those that live after a grace period."""
    deadline = time.monotonic() + _GRACE_SECONDS
    left = [group for group in groups if _signal(group, signal.SIGTERM)]
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [group for group in left if _signal(group, 0)]
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Send a signal to a group; return False if it has no process left."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
