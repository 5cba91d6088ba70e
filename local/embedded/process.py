"""Starts programs that cannot outlive this process."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class NotMainThreadError(RuntimeError):
    """The kernel ties a child to the thread that started it: use the main thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The user and group a program runs as."""

    uid: int
    gid: int


def die_with_parent(death_signal: signal.Signals) -> None:
    """Make the kernel send this process `death_signal` when its parent dies."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))


def spawn(
    command: Sequence[str | Path],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    death_signal: signal.Signals,
    identity: Identity | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` in its own session and process group, appending to `log`.

    It receives `death_signal` when this process ends, even if it is killed.
    """
    if threading.current_thread() is not threading.main_thread():
        raise NotMainThreadError(NotMainThreadError.__doc__)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603 (no shell; programs of this project)
            [str(part) for part in command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
            user=identity.uid if identity else None,
            group=identity.gid if identity else None,
            extra_groups=[] if identity else None,
            preexec_fn=_die_with(os.getpid(), death_signal),
        )
    finally:
        os.close(output)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process group that `process` leads, and reap `process`."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def try_lock(descriptor: int) -> bool:
    """Lock an open file; return False if another process holds the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_until(ready: Callable[[], bool], *, timeout_seconds: float) -> bool:
    """Call `ready` every 20 ms; return whether it returned True in time."""
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _die_with(parent: int, death_signal: signal.Signals) -> Callable[[], None]:
    def in_child() -> None:
        die_with_parent(death_signal)
        # A shell starts its background processes with SIGINT ignored.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # The parent may have died before the line above took effect.
        if os.getppid() != parent:
            os._exit(1)

    return in_child
