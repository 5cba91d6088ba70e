"""Keeps a set of processes running, and ends all of them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from local.embedded.process import kill_group, wait_until

_LONGEST_DELAY_SECONDS = 30.0
_HEALTHY_AFTER_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A process to keep running: how to start it, and the signal that ends it.

    `start` may raise any `OSError` or `RuntimeError`: it is tried again, later.
    `is_stopping` returns whether the process refuses work because another program asked
    it to stop. Such a process is ended and started again.
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
        """Start a service for the first time; what its start raises is passed on."""
        self._running[service.name] = _Running(service, self._first_delay_seconds)

    def tick(self) -> bool:
        """Look after every service once; return whether a process came or went."""
        changed = [self._look_after(running) for running in self._running.values()]
        return any(changed)

    def stop(self, *, timeout_seconds: float, hurry: Callable[[], bool]) -> None:
        """Ask all to end together; kill their groups after the time or on `hurry`."""
        for running in self._running.values():
            if running.process.poll() is None:
                running.process.send_signal(running.service.stop_signal)
        wait_until(
            lambda: hurry() or not self._alive(), timeout_seconds=timeout_seconds
        )
        for running in self._running.values():
            kill_group(running.process)
        self._running.clear()

    def _alive(self) -> list[str]:
        return [n for n, r in self._running.items() if r.process.poll() is None]

    def _look_after(self, running: _Running) -> bool:
        if running.restart_at is not None:
            return time.monotonic() >= running.restart_at and self._restart(running)
        if running.process.poll() is None:
            self._end_if_stopping(running)
            return False
        kill_group(running.process)
        self._say_ended(running, f"ended ({_describe_end(running.process)})")
        return True

    def _end_if_stopping(self, running: _Running) -> None:
        if running.is_ending or not running.service.is_stopping():
            return
        running.is_ending = True
        running.process.send_signal(running.service.stop_signal)
        self._say(
            f"{running.service.name} was told to stop by another program; "
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
    """A service's present process, and when to start the next one."""

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
        """Set the time of the next start; return how many seconds away it is."""
        now = time.monotonic()
        if now - self._started_at > _HEALTHY_AFTER_SECONDS:
            self._delay_seconds = self._first_delay_seconds
        delay = self._delay_seconds
        self.restart_at = now + delay
        self._delay_seconds = min(delay * 2, _LONGEST_DELAY_SECONDS)
        return delay


def _describe_end(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
