"""The one way in which a process runs something in the background."""

from __future__ import annotations

import logging
import multiprocessing.util
import os
import threading
from collections.abc import Callable
from weakref import WeakSet

from django.db import connections

logger = logging.getLogger(__name__)


class BackgroundThread:
    """A daemon thread that runs `run_round` again and again, one in each process.

    Each `wake` is followed by a round; calls during a round share the next one. With
    `every_seconds`, a round also starts when that time has passed since the last one.
    The first `start` or `wake` in a process starts the thread; a forked child, which
    has no threads of its parent, starts its own. An exception is logged and ends only
    its round.
    """

    def __init__(
        self,
        run_round: Callable[[], object],
        *,
        name: str,
        every_seconds: float | None = None,
        at_exit: Callable[[], object] | None = None,
    ) -> None:
        self._run_round = run_round
        self._name = name
        self._every_seconds = every_seconds
        self._at_exit = at_exit
        self._thread: threading.Thread | None = None
        self._forget_parent()
        _all_threads.add(self)

    def start(self) -> None:
        """Start the thread, unless it runs in this process."""
        if self.is_alive() and not self.is_stopping():
            return
        with self._lock:
            if self.is_stopping():
                self.join()
            if self.is_alive():
                return
            self._woken.clear()
            self._stopped.clear()
            self._thread = threading.Thread(
                target=self._run, name=self._name, daemon=True
            )
            self._thread.start()
            if self._at_exit:
                # Unlike atexit, it also runs in the processes of multiprocessing.
                multiprocessing.util.Finalize(None, self._at_exit, exitpriority=10)

    def wake(self) -> None:
        """Run a round soon, unless the thread was stopped."""
        if not self.is_stopping():
            self.start()
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Wait within a round, until the time is over or a call of `wake` or `stop`."""
        self._woken.wait(seconds)
        self._woken.clear()

    def pause(self, seconds: float | None) -> None:
        """Wait within a round, until the time is over or a call of `stop`.

        With None, only `stop` ends the wait.
        """
        self._stopped.wait(seconds)

    def stop(self) -> None:
        """End the thread after its current round; only `start` starts it again."""
        self._stopped.set()
        self._woken.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended; it ends after `stop`."""
        if self._thread is not None:
            self._thread.join(timeout)

    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def is_stopping(self) -> bool:
        return self._stopped.is_set()

    def _run(self) -> None:
        try:
            while not self.is_stopping():
                self._woken.wait(self._every_seconds)
                self._woken.clear()
                if self.is_stopping():
                    break
                try:
                    self._run_round()
                except Exception:
                    logger.exception("The background thread %s failed", self._name)
        finally:
            connections.close_all()

    def _forget_parent(self) -> None:
        """Begin without a thread, and with a lock that no lost thread holds."""
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = None


_all_threads: WeakSet[BackgroundThread] = WeakSet()


def _forget_parents_threads() -> None:
    for thread in list(_all_threads):
        thread._forget_parent()


os.register_at_fork(after_in_child=_forget_parents_threads)
