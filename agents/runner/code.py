"""Runs the code of one task: its time limit, and what it may do to its process."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from billiard import common as pool
from celery.exceptions import SoftTimeLimitExceeded

from agents.models import AgentTask, TaskStatus
from agents.services.chunks import EndedTask
from agents.services.run import ERROR_MAX_CHARS, ResultRejected, dump_result
from common.correlation import cause_from_metadata, emit_because_of
from common.errors import clean_text

logger = logging.getLogger(__name__)

AgentCode = Callable[[AgentTask], object]


def run_code(code: AgentCode, task: AgentTask, *, has_limit: bool) -> EndedTask:
    """Run the code for a claimed task; return how it ended, whatever it raises.

    With `has_limit`, SoftTimeLimitExceeded is raised in it after its time. Raises only
    the SystemExit of a process that a signal ends.
    """
    process_id = os.getpid()
    try:
        limit = task.agent.task_timeout_seconds if has_limit else None
        cause = cause_from_metadata(task.metadata)
        with emit_because_of(cause), time_limit(limit):
            value = code(task)
        result = None if value is None else dump_result(value)
        return EndedTask(task=task, status=TaskStatus.SUCCEEDED, result=result)
    except SoftTimeLimitExceeded:
        text = f"Stopped after {task.agent.task_timeout_seconds} s"
        return _failed(task, text, status=TaskStatus.TIMEOUT)
    except ResultRejected as error:
        return _failed(task, str(error))
    except BaseException as error:
        if pool.terminate_handler_fired():  # type: ignore[attr-defined]  # not in stubs
            raise
        logger.warning("Agent task %s failed: %s", task.id, type(error).__name__)
        return _failed(task, f"{type(error).__name__}: {error}")
    finally:
        if os.getpid() != process_id:
            # The code forked, and this is the child: its parent reports the result.
            os._exit(0)


def _failed(
    task: AgentTask, error: str, *, status: TaskStatus = TaskStatus.FAILED
) -> EndedTask:
    text = clean_text(error, limit=ERROR_MAX_CHARS)
    return EndedTask(task=task, status=status, error=text)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise SoftTimeLimitExceeded in the `with` block once the time is over.

    Python handles signals in the main thread only, so other threads have no limit.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    is_running = True

    def stop(*_: object) -> None:
        # A signal may be handled a moment after the timer was stopped.
        if is_running:
            raise SoftTimeLimitExceeded

    # For each task, because the code of another may have set its own handler.
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        is_running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
