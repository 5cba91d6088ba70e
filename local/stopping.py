"""Ctrl-C and its relatives."""

from __future__ import annotations

import signal
from types import FrameType


class StopRequested(Exception):
    """Somebody asked the stack to end."""


class StopRequests:
    """Counts requests to stop; nothing is interrupted halfway."""

    def __init__(self) -> None:
        self._count = 0

    def listen(self) -> None:
        """Take over the signals, but leave a hang-up aside that `nohup` set aside.

        A script starts what it puts in the background with Ctrl-C ignored; `kill -INT`
        must end that all the same.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._note)

    def check(self) -> None:
        """Raise `StopRequested` once somebody asked to stop."""
        if self._count:
            raise StopRequested(StopRequested.__doc__)

    def in_a_hurry(self) -> bool:
        """Tell whether somebody asked twice."""
        return self._count > 1

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
