"""The threads that run the WSGI application, and which requests may use how many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Protocol

from webserver.limits import Capacity, Limits, RequestClass, ServerBusy

Job = Callable[[], None]

# How many requests of a class with threads of its own are accepted at once.
_MAX_RESERVED_REQUESTS = 20


class JobRunner(Protocol):
    """Anything that runs jobs in threads. A job must not raise."""

    def run(self, job: Job) -> None: ...


class ThreadPool:
    """Threads that live as long as the process: their database connections stay open.

    An executor of the standard library does the same at several times the cost, which
    counts here because a request costs little.
    """

    def __init__(self, count: int, *, name: str = "web") -> None:
        self._count = count
        self._name = name
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = Lock()
        self._is_started = False

    def run(self, job: Job) -> None:
        """Queue a job. The first job starts the threads, in the process that serves."""
        if not self._is_started:
            self._start()
        self._jobs.put(job)

    def _start(self) -> None:
        with self._lock:
            if self._is_started:
                return
            for number in range(1, self._count + 1):
                name = f"{self._name}-{number}"
                Thread(target=self._run_jobs, name=name, daemon=True).start()
            self._is_started = True

    def _run_jobs(self) -> None:
        while True:
            self._jobs.get()()


class ThreadShare:
    """A part of a thread pool: at most `count` jobs of the share run at once.

    Further jobs wait outside the queue of the pool, so they delay no other jobs.
    """

    def __init__(self, pool: ThreadPool, *, count: int, max_waiting: int) -> None:
        self._pool = pool
        self._free = count
        self._max_waiting = max_waiting
        self._waiting: deque[Job] = deque()
        self._lock = Lock()

    def run(self, job: Job) -> None:
        """Run a job when a thread is free; raise ServerBusy if too many jobs wait."""
        with self._lock:
            if not self._free:
                if len(self._waiting) >= self._max_waiting:
                    raise ServerBusy
                self._waiting.append(job)
                return
            self._free -= 1
        self._pool.run(partial(self._run_and_release, job))

    def _run_and_release(self, job: Job) -> None:
        job()
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            next_job = self._waiting.popleft()
        # The next job goes to the end of the pool's queue: jobs of other classes that
        # wait there come first.
        self._pool.run(partial(self._run_and_release, next_job))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassResources:
    """A request class with the capacity and the threads that it uses."""

    request_class: RequestClass
    capacity: Capacity
    threads: JobRunner


def allocate_resources(
    classes: Iterable[RequestClass], *, limits: Limits, threads: int
) -> list[ClassResources]:
    """Return each request class with its capacity and threads.

    All classes share one pool and one capacity, except those with threads of their own.
    """
    pool = ThreadPool(threads)
    shared = Capacity(max_requests=limits.max_requests, large_bytes=limits.large_bytes)
    return [_allocate(one, pool, threads, shared) for one in classes]


def _allocate(
    request_class: RequestClass, pool: ThreadPool, count: int, capacity: Capacity
) -> ClassResources:
    runner: JobRunner = pool
    if request_class.own_threads:
        name = request_class.prefix.strip("/")
        runner = ThreadPool(request_class.own_threads, name=name)
        capacity = Capacity(max_requests=_MAX_RESERVED_REQUESTS, large_bytes=0)
    elif request_class.thread_share < 1:
        runner = ThreadShare(
            pool,
            count=max(1, int(count * request_class.thread_share)),
            max_waiting=request_class.max_waiting,
        )
    return ClassResources(
        request_class=request_class, capacity=capacity, threads=runner
    )
