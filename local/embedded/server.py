"""What PostgreSQL and Valkey have in common as embedded servers."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.embedded.places import Place
from local.embedded.process import kill_group, spawn, wait_until

# A server that was killed first replays its log: minutes, if there was much to write.
_START_TIMEOUT_SECONDS = 300
_LOCK_TIMEOUT_SECONDS = 10
# Nothing of ours, least of all the keys, belongs in the servers' environment.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class ServerAlreadyRunningError(RuntimeError):
    """Another process runs a server on this data."""


class ServerDidNotStartError(RuntimeError):
    """An embedded server ended or stayed silent; its log says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running embedded server.

    `is_stopping` returns whether it refuses new clients because it shuts down.
    """

    name: str
    url: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    is_stopping: Callable[[], bool]

    def stop(self, *, timeout_seconds: float = 10) -> None:
        """End the server cleanly; kill it if that takes too long. May be repeated."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server at once; its next start recovers what was committed."""
        kill_group(self.process)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """How to start one kind of server, and how to tell that it answers."""

    name: str
    url: str
    command: Sequence[str | Path]
    stop_signal: signal.Signals
    answers: Callable[[], bool]
    is_stopping: Callable[[], bool] = lambda: False


def lock_folder(place: Place) -> int:
    """Return the descriptor of a lock that one server at a time can hold.

    The server inherits it, so it stays locked until the server's last process ended,
    even if that outlives us by a moment: hence the wait.
    """
    lock = os.open(place.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    if wait_until(lambda: _try_lock(lock), timeout_seconds=_LOCK_TIMEOUT_SECONDS):
        return lock
    os.close(lock)
    raise ServerAlreadyRunningError(f"another server uses {place.folder}")


def start_server(plan: ServerPlan, *, place: Place, lock: int, log: Path) -> Server:
    """Start a server and wait until it answers."""
    process = spawn(
        plan.command,
        folder=place.folder,
        log=log,
        environment=ENVIRONMENT,
        death_signal=plan.stop_signal,
        identity=place.identity,
        pass_fds=[lock],
    )
    try:
        answers = wait_until(
            lambda: process.poll() is not None or plan.answers(),
            timeout_seconds=_START_TIMEOUT_SECONDS,
        )
    except BaseException:
        kill_group(process)
        raise
    if answers and process.poll() is None:
        return Server(
            name=plan.name,
            url=plan.url,
            process=process,
            stop_signal=plan.stop_signal,
            is_stopping=plan.is_stopping,
        )
    kill_group(process)
    raise ServerDidNotStartError(f"{plan.name} did not start; see {log}")


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
