from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread

Job = Callable[[], None]


class Threads:
    """Threads that work as long as the process: their database connections stay open.

    An executor of the standard library does the same at several times the cost, and
    that of a request is small. A job must not raise.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = Lock()
        self._is_started = False

    def run(self, job: Job) -> None:
        """Have a job done; the threads start with the first one, in its process."""
        if not self._is_started:
            self._start()
        self._jobs.put(job)

    def _start(self) -> None:
        with self._lock:
            if self._is_started:
                return
            for number in range(1, self._count + 1):
                Thread(target=self._work, name=f"web-{number}", daemon=True).start()
            self._is_started = True

    def _work(self) -> None:
        while True:
            self._jobs.get()()
