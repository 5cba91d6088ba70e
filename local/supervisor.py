"""Keeps a set of processes running, and reports failures that it survives."""

from __future__ import annotations

import errno
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.embedded.process import kill_group, wait_until

_LONGEST_DELAY_SECONDS = 30.0
_HEALTHY_AFTER_SECONDS = 60.0
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A process to keep running: how to start it, and the signal that ends it.

    After an OSError or RuntimeError of `start`, the supervisor calls it again later.
    `is_stopping` returns whether the process rejects work because another program asked
    it to stop. The supervisor ends such a process and starts it again.
    """

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    stop_signal: signal.Signals = signal.SIGTERM
    is_stopping: Callable[[], bool] = lambda: False


class Supervisor:
    """Starts services, restarts those that died (after 1, 2, 4 … 30 s), stops all."""

    def __init__(
        self, *, say: Callable[[str], None], first_delay_seconds: float = 1.0
    ) -> None:
        self._say = say
        self._first_delay_seconds = first_delay_seconds
        self._running: dict[str, _Running] = {}

    @property
    def processes(self) -> dict[str, int]:
        """The process id of each service that runs."""
        return {
            name: running.process.pid
            for name, running in self._running.items()
            if running.restart_at is None
        }

    def start(self, service: Service) -> None:
        """Start a service for the first time; raise what its `start` raises."""
        self._running[service.name] = _Running(service, self._first_delay_seconds)

    def check(self) -> bool:
        """Check each service once; return whether a process started or ended."""
        changed = [self._check(running) for running in self._running.values()]
        return any(changed)

    def stop(self, *, timeout_seconds: float, kill_now: Callable[[], bool]) -> None:
        """Signal all services to end; kill those that are left in the end.

        That is after the time-out, or as soon as `kill_now` returns True.
        """
        for running in self._running.values():
            if running.process.poll() is None:
                running.process.send_signal(running.service.stop_signal)

        def have_ended() -> bool:
            processes = [running.process for running in self._running.values()]
            return all(process.poll() is not None for process in processes)

        wait_until(lambda: kill_now() or have_ended(), timeout_seconds=timeout_seconds)
        for running in self._running.values():
            kill_group(running.process)
        self._running.clear()

    def _check(self, running: _Running) -> bool:
        if running.restart_at is not None:
            return time.monotonic() >= running.restart_at and self._restart(running)
        if running.process.poll() is None:
            self._end_if_stopping(running)
            return False
        kill_group(running.process)
        code = running.process.returncode
        end = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        self._say_ended(running, f"ended ({end})")
        return True

    def _end_if_stopping(self, running: _Running) -> None:
        if running.is_ending or not running.service.is_stopping():
            return
        running.is_ending = True
        running.process.send_signal(running.service.stop_signal)
        self._say(
            f"{running.service.name} was asked to stop by another program; "
            "ending it now, to start it again"
        )

    def _restart(self, running: _Running) -> bool:
        try:
            running.start()
        except (OSError, RuntimeError) as error:
            self._say_ended(running, f"could not be started ({error})")
            return False
        self._say(f"{running.service.name} runs again (process {running.process.pid})")
        return True

    def _say_ended(self, running: _Running, what: str) -> None:
        delay = running.plan_restart()
        self._say(f"{running.service.name} {what}; starting it again in {delay:g} s")


class _Running:
    """The current process of a service, and when to start the next one."""

    def __init__(self, service: Service, first_delay_seconds: float) -> None:
        self.service = service
        self.restart_at: float | None = None
        self._first_delay_seconds = first_delay_seconds
        self._delay_seconds = first_delay_seconds
        self.start()

    def start(self) -> None:
        self.process = self.service.start()
        self.restart_at = None
        self.is_ending = False
        self._started_at = time.monotonic()

    def plan_restart(self) -> float:
        """Set the time of the next start; return in how many seconds that is."""
        now = time.monotonic()
        if now - self._started_at > _HEALTHY_AFTER_SECONDS:
            self._delay_seconds = self._first_delay_seconds
        delay = self._delay_seconds
        self.restart_at = now + delay
        self._delay_seconds = min(delay * 2, _LONGEST_DELAY_SECONDS)
        return delay


class FailureReporter:
    """Reports each failure once, again when it changes, and when it is over."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._known: dict[str, str] = {}

    @contextmanager
    def survive(self, action: str) -> Iterator[None]:
        """Continue after an OSError, which is reported as the failure of `action`."""
        try:
            yield
        except OSError as error:
            self.report(action, f"{action} failed: {describe_os_error(error)}")
        else:
            self.report(action, None)

    def report(self, name: str, failure: str | None) -> None:
        """Report a failure under a name, or its end if the failure is None."""
        if failure is None:
            if name in self._known:
                del self._known[name]
                self._say(f"{name} works again.")
        elif self._known.get(name) != failure:
            self._known[name] = failure
            self._say(f"{failure} Tickhook continues and tries again.")


def describe_os_error(error: OSError) -> str:
    """Return what failed, on which file, and what to do about it."""
    file = f"{error.filename}: " if error.filename else ""
    reason = f"{file}{error.strerror or error}."
    if error.errno in _DISK_FULL:
        return f"{reason} Free some space on this disk."
    if error.errno in _NOT_WRITABLE:
        return f"{reason} Make it writable for the user that runs Tickhook."
    return reason
