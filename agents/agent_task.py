"""Running the code of an agent in a Celery worker: claim a task, run it, report.

Celery kills a process whose task exceeds its time limit, and the result with it. So if
a result cannot be stored at once, a thread keeps it and the Celery task ends. As long
as the worker's heartbeat continues, no other worker gets the task.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from itertools import chain, repeat
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from celery.exceptions import Reject, SoftTimeLimitExceeded
from celery.signals import worker_process_shutdown
from django.conf import settings
from django.db import Error, connection

from agents.models import AgentTask, TaskStatus
from agents.services.run import ResultRejected, claim_task, find_claimed, finish_task
from common.correlation import cause_from_metadata, emit_because_of
from common.database.errors import (
    drop_connection,
    error_kind,
    is_unavailable,
)
from common.threads import BackgroundThread

logger = logging.getLogger(__name__)

# How long a worker keeps a message whose task it cannot claim, and between two tries.
CLAIM_SECONDS = 10.0
CLAIM_PAUSE_SECONDS = 1.0
# Pauses between attempts to store a result.
FIRST_PAUSES = (0.5, 1.0, 2.0)
LONGEST_PAUSE = 5.0
# A result can have 16 MB: a process with this many unstored results claims no task.
MAX_PENDING = 8

# The length at which Celery's events and logs cut the result of a task: Flower and log
# files must not show what an agent returns.
SHOWN_CHARACTERS = 5

AgentCode = Callable[[AgentTask], object]


class AgentTaskFailed(Exception):
    """The task of an agent failed; Celery counts the Celery task as failed, too.

    The text names the type of the agent's exception. Its message, which may contain
    data of an event, is stored in the task only.
    """


class AgentTaskTimedOut(AgentTaskFailed):
    """The task of an agent exceeded its time limit."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How the code of an agent ended."""

    status: TaskStatus
    result: object = None
    error: str = ""


_running_ids: set[UUID] = set()
_pending: dict[UUID, tuple[AgentTask, TaskResult]] = {}


def agent_task(function: AgentCode) -> Task[Any, Any]:
    """Make the code of an agent a Celery task that claims, runs and reports.

    The function gets the AgentTask (`parameters`, `metadata`, `attempt`) and returns a
    JSON value. It runs once, unless its worker dies or misses its heartbeats: then it
    runs again with a higher `attempt`. So a function with effects elsewhere should use
    the `idempotency_key`. An exception ends the task as `failed`. Events that the
    function emits name the event that caused them.
    """

    @shared_task(
        name=f"{function.__module__}.{function.__name__}",
        throws=(AgentTaskFailed,),
        resultrepr_maxsize=SHOWN_CHARACTERS,
    )
    @wraps(function)
    def run(task_id: str) -> object:
        task = _claim(UUID(task_id))
        if task is None:
            return None
        result = _run(function, task)
        _raise_failure(task, result)
        return result.result if settings.TICKHOOK_CELERY_RESULTS else None

    return run


def _raise_failure(task: AgentTask, result: TaskResult) -> None:
    """Raise AgentTaskFailed if the task failed, for Celery's state of its message."""
    summary = f"{result.error.partition(':')[0]} (agent task {task.id})"
    if result.status == TaskStatus.TIMEOUT:
        raise AgentTaskTimedOut(summary)
    if result.status == TaskStatus.FAILED:
        raise AgentTaskFailed(summary)


def _claim(task_id: UUID) -> AgentTask | None:
    """Claim a task; if that stays impossible, return its message to the queue."""
    try:
        deadline = time.monotonic() + CLAIM_SECONDS
        is_repeated = False
        while time.monotonic() < deadline:
            if len(_pending) < MAX_PENDING:
                try:
                    return claim_task(task_id=task_id) or (
                        _find_unconfirmed_claim(task_id) if is_repeated else None
                    )
                except Error as error:
                    _handle_claim_error(task_id, error)
                    is_repeated = True
            time.sleep(CLAIM_PAUSE_SECONDS)
    except SoftTimeLimitExceeded:
        logger.warning("Agent task %s: no time is left to claim it", task_id)
    raise Reject(requeue=True)


def _find_unconfirmed_claim(task_id: UUID) -> AgentTask | None:
    """Return a task that this process claimed without receiving the server's answer."""
    if task_id in _running_ids or task_id in _pending:
        return None
    return find_claimed(task_id=task_id)


def _handle_claim_error(task_id: UUID, error: Error) -> None:
    """Log that the database is unavailable; raise any other error."""
    if not is_unavailable(error):
        raise error
    drop_connection()
    logger.warning(
        "Agent task %s cannot be claimed yet: %s", task_id, error_kind(error)
    )


def _run(function: AgentCode, task: AgentTask) -> TaskResult:
    """Run the code for a claimed task; meanwhile a second message claims nothing."""
    _running_ids.add(task.pk)
    try:
        result = _call(function, task)
        try:
            return _report(task, result)
        except ResultRejected as error:
            return _report(task, TaskResult(TaskStatus.FAILED, error=str(error)))
    finally:
        _running_ids.discard(task.pk)


def _call(function: AgentCode, task: AgentTask) -> TaskResult:
    try:
        with emit_because_of(cause_from_metadata(task.metadata)):
            return TaskResult(TaskStatus.SUCCEEDED, result=function(task))
    except SoftTimeLimitExceeded:
        seconds = task.agent.task_timeout_seconds
        return TaskResult(TaskStatus.TIMEOUT, error=f"Stopped after {seconds} s")
    except Exception as error:  # noqa: BLE001 - the edge of an agent's own code
        logger.warning("Agent task %s failed: %s", task.id, type(error).__name__)
        return TaskResult(TaskStatus.FAILED, error=f"{type(error).__name__}: {error}")


def _report(task: AgentTask, result: TaskResult) -> TaskResult:
    """Store a result at once or, while the database is unavailable, from a thread.

    Returns how the task ended, which can be otherwise: the sweep may have ended it.
    Raises ResultRejected.
    """
    try:
        stored = _store(task, result)
    except SoftTimeLimitExceeded:  # the agent's code itself was in time
        drop_connection()
        stored = None
    if stored is None:
        _pending[task.pk] = (task, result)
        _reporter.wake()
    return stored or result


def _store(task: AgentTask, result: TaskResult) -> TaskResult | None:
    """Store and return how a task ended; return None if the database is unavailable."""
    try:
        is_finished = finish_task(
            task=task, status=result.status, result=result.result, error=result.error
        )
        if is_finished:
            return result
        # The result came too late: the sweep has ended the task otherwise.
        rows = AgentTask.objects.filter(pk=task.pk, attempt=task.attempt)
        status = rows.values_list("status", flat=True).first() or TaskStatus.CANCELLED
        return TaskResult(TaskStatus(status), error="The result came too late")
    except Error as error:
        if not is_unavailable(error):
            raise
        logger.warning(
            "The result of agent task %s cannot be stored yet: %s",
            task.id,
            error_kind(error),
        )
        drop_connection()
        return None


def _store_pending_until_done() -> None:
    """Try to store the pending results, less and less often, until all are stored."""
    pauses = chain(FIRST_PAUSES, repeat(LONGEST_PAUSE))
    while _pending and not _reporter.is_stopping():
        _reporter.pause(next(pauses))
        for task, result in list(_pending.values()):
            _store_late(task, result)
    connection.close()


def _store_late(task: AgentTask, result: TaskResult) -> None:
    try:
        if not _store(task, result):
            return
        logger.info("The result of agent task %s is stored", task.id)
    except Exception:
        logger.exception("The result of agent task %s cannot be stored", task.id)
    _pending.pop(task.pk, None)


_reporter = BackgroundThread(_store_pending_until_done, name="report")


@worker_process_shutdown.connect
def _store_pending(**_: object) -> None:
    """Try once more to store each result, because the threads end with this process."""
    for task, result in list(_pending.values()):
        _store(task, result)
