"""The stack's side of the watchdog."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

_WATCHDOG = Path(__file__).with_name("watchdog.py")


class Guard:
    """A watchdog process, told which process groups must not outlive us."""

    def __init__(self, lock: int) -> None:
        """Start the watchdog; it holds the stack's `lock` until its work is done."""
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
        """Let the watchdog end what is still there, and end."""
        os.close(self._pipe)
        self._process.wait()

    def watch(self, groups: Iterable[int]) -> None:
        """Replace the list of guarded groups; a watchdog that died is replaced too."""
        self._groups = list(groups)
        self.check()
        self._tell()

    def check(self) -> None:
        """Start another watchdog if somebody killed this one."""
        if self._process.poll() is not None:
            os.close(self._pipe)
            self._process = self._start()
            self._tell()

    def _start(self) -> subprocess.Popen[bytes]:
        reading, self._pipe = os.pipe()
        try:
            return subprocess.Popen(  # noqa: S603 (no shell; a file of ours)
                [sys.executable, "-I", "-S", str(_WATCHDOG)],
                stdin=reading,
                cwd="/",
                start_new_session=True,
                pass_fds=[self._lock],
            )
        finally:
            os.close(reading)

    def _tell(self) -> None:
        # A watchdog that died just now is replaced by the next check.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, json.dumps(self._groups).encode() + b"\n")
