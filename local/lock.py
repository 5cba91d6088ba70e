"""One stack to a data folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.embedded.process import wait_until
from local.files import read_json

_ENDING_TIMEOUT_SECONDS = 15


class StackAlreadyRunningError(RuntimeError):
    """A second stack was started on the same data folder."""


@contextmanager
def stack_lock(data: Path) -> Iterator[int]:
    """Hold the folder's lock; yield its descriptor, for the watchdog to inherit.

    A stack that was killed holds it until its watchdog has ended every process: that
    is waited for. A living one is not.
    """
    lock = os.open(data / "stack.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        wait_until(
            lambda: _try_lock(lock) or _holder_lives(lock),
            timeout_seconds=_ENDING_TIMEOUT_SECONDS,
        )
        if not _try_lock(lock):
            raise StackAlreadyRunningError(_describe_running(data, lock))
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lock: int) -> int:
    return int(os.pread(lock, 20, 0) or b"0")


def _holder_lives(lock: int) -> bool:
    holder = _holder(lock)
    return holder > 0 and Path(f"/proc/{holder}").exists()


def _describe_running(data: Path, lock: int) -> str:
    url = read_json(data / "credentials.json").get("url", "an address still to come")
    return f"Tickhook is already running on {data}: {url} (process {_holder(lock)})"
