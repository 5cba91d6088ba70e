from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread

from webserver.limits import ServerBusy

Job = Callable[[], None]


class Threads:
    """Threads that work as long as the process: their database connections stay open.

    An executor of the standard library does the same at several times the cost, and
    that of a request is small. A job must not raise.
    """

    def __init__(self, count: int, *, name: str = "web") -> None:
        self._count = count
        self._name = name
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
                name = f"{self._name}-{number}"
                Thread(target=self._work, name=name, daemon=True).start()
            self._is_started = True

    def _work(self) -> None:
        while True:
            self._jobs.get()()


class Share:
    """Some of the threads: at most `count` jobs of a share run at once.

    Others wait outside the queue of the threads, so that they delay no job that is not
    of this share.
    """

    def __init__(self, threads: Threads, *, count: int, most_waiting: int) -> None:
        self._threads = threads
        self._free = count
        self._most_waiting = most_waiting
        self._waiting: deque[Job] = deque()
        self._lock = Lock()

    def run(self, job: Job) -> None:
        """Have a job done; raise ServerBusy if too many wait already."""
        with self._lock:
            if not self._free:
                if len(self._waiting) >= self._most_waiting:
                    raise ServerBusy
                self._waiting.append(job)
                return
            self._free -= 1
        self._threads.run(partial(self._work, job))

    def _work(self, job: Job) -> None:
        job()
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            following = self._waiting.popleft()
        # Behind the jobs that wait for the threads themselves, not before them.
        self._threads.run(partial(self._work, following))
