"""Runs a chunk of claimed tasks one after the other, while a thread watches it.

Tasks of a few milliseconds share the cost of their claim and their end. As soon as one
takes longer, the thread reports those that are done, and makes those that have not
begun wait again, so that other processes can run them. It also kills the process if a
task goes on long after its time limit.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from billiard import current_process
from django.db import close_old_connections, connection

from agents.backends import celery as backend
from agents.models import AgentTask, TaskStatus
from agents.runner.code import AgentCode, run_code
from agents.runner.results import Reporter, held_ids, release
from agents.services.chunks import EndedTask
from common.threads import BackgroundThread

logger = logging.getLogger(__name__)

# How tasks ended is stored at the first opportunity after this time …
STORE_SECONDS = 0.05
# … or as soon as their results are this long together.
STORE_CHARACTERS = 1_000_000
# After this time, other processes may run what has not begun.
KEEP_SECONDS = 0.2
WATCH_SECONDS = 0.2


class Chunk:
    """Claimed tasks of one agent. `wake` is called with the number of released ones.

    The main thread and the watcher share it. Each task is begun, or released, once.
    """

    def __init__(
        self,
        tasks: Sequence[AgentTask],
        *,
        reporter: Reporter,
        wake: Callable[[int], object] = lambda _: None,
        has_limit: bool = True,
    ) -> None:
        self._reporter = reporter
        self._wake = wake
        self._has_limit = has_limit
        self._lock = threading.Lock()
        self._waiting = deque(tasks)
        self._done: list[EndedTask] = []
        self._running: AgentTask | None = None
        self._started_at = self._stored_at = self._running_since = time.monotonic()

    def run(self, code: AgentCode) -> list[float]:
        """Run the tasks and report how they ended; return the seconds of each."""
        taken: list[float] = []
        events = self._reporter.events
        held_ids.update(task.pk for task in self._waiting)
        events.receive(self._waiting)
        _chunks.add(self)
        _watcher.start()
        try:
            while task := self._next():
                events.start(task)
                if not taken:
                    events.flush()
                ended = run_code(code, task, has_limit=self._has_limit)
                seconds = time.monotonic() - self._running_since
                taken.append(seconds)
                with self._lock:
                    self._done.append(replace(ended, seconds=seconds))
                    self._running = None
        finally:
            _chunks.discard(self)
            self._report_done()
            self._release_waiting()
            events.flush()
        return taken

    def watch(self) -> None:
        """Let nothing wait for a task that takes long; kill the process in the end."""
        with self._lock:
            task, seconds = self._running, time.monotonic() - self._running_since
            has_unsettled = bool(self._waiting or self._done)
        if task is None or seconds < KEEP_SECONDS:
            return
        if has_unsettled:
            close_old_connections()
            self._report_done()
            self._release_waiting()
            connection.close()
        self._reporter.events.flush()
        # In a pool, Celery replaces a process that ends. Elsewhere it is the worker.
        if not self._has_limit or current_process().name == "MainProcess":
            return
        if seconds > task.agent.task_timeout_seconds + backend.KILL_AFTER_SECONDS:
            self._kill(task)

    def _next(self) -> AgentTask | None:
        """Begin the next task, after storing what has waited long enough for that."""
        now = time.monotonic()
        characters = sum(len(one.result or "") for one in self._done)
        if now - self._stored_at > STORE_SECONDS or characters > STORE_CHARACTERS:
            self._report_done()
        if now - self._started_at > KEEP_SECONDS:
            self._release_waiting()
        with self._lock:
            self._running = self._waiting.popleft() if self._waiting else None
            self._running_since = time.monotonic()
            return self._running

    def _kill(self, task: AgentTask) -> None:
        """Kill this process. Usually the sweep has ended the task by then."""
        logger.critical("Agent task %s did not end: killing its process", task.id)
        text = f"Killed {backend.KILL_AFTER_SECONDS} s after its time limit"
        ended = EndedTask(task=task, status=TaskStatus.TIMEOUT, error=text)
        with suppress(Exception):
            self._reporter.report([ended])
            self._reporter.events.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    def _report_done(self) -> None:
        with self._lock:
            done, self._done = self._done, []
            self._stored_at = time.monotonic()
        if done:
            self._reporter.report(done)
            # At once: the next task may end the process.
            self._reporter.events.flush()

    def _release_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
        if waiting and release(waiting):
            self._wake(len(waiting))


def _watch_chunks() -> None:
    for chunk in list(_chunks):
        try:
            chunk.watch()
        except Exception:
            logger.exception("A chunk of tasks cannot be watched")


_chunks: set[Chunk] = set()
_watcher = BackgroundThread(
    _watch_chunks, name="task-watch", every_seconds=WATCH_SECONDS
)
