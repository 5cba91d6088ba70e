"""How a worker reports what an agent's code came to, also while PostgreSQL is away.

Celery kills a process whose task exceeds its time limit, and the result with it. So a
result that cannot be stored at once is kept by a thread, and the Celery task ends. The
worker's heartbeat keeps the task from being given to another worker.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import chain, repeat
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_process_shutdown
from django.db import Error, connection

from agents.models import AgentTask, TaskStatus
from agents.services.run import ResultRefused, finish_task
from common.database.errors import (
    drop_connection,
    error_kind,
    is_unavailable,
)
from common.threads import BackgroundThread

logger = logging.getLogger(__name__)

FIRST_PAUSES = (0.5, 1.0, 2.0)
LONGEST_PAUSE = 5.0
# A result can have 16 MB: a process that holds so many takes no further task.
MAX_PENDING = 8


@dataclass(frozen=True, slots=True)
class Ending:
    """How an agent's code came to its end."""

    status: TaskStatus
    result: object = None
    error: str = ""


_pending: dict[UUID, tuple[AgentTask, Ending]] = {}


def report(task: AgentTask, ending: Ending) -> None:
    """Record how a task ended, at once or, from a thread, when that is possible."""
    try:
        is_stored = _store(task, ending)
    except SoftTimeLimitExceeded:  # the agent's code itself was in time
        drop_connection()
        is_stored = False
    if not is_stored:
        _pending[task.pk] = (task, ending)
        _reporter.wake()


def has_too_many_pending() -> bool:
    """Return whether this process holds as many results as it may."""
    return len(_pending) >= MAX_PENDING


def is_pending(task_id: UUID) -> bool:
    """Return whether this process holds the result of a task."""
    return task_id in _pending


def _store(task: AgentTask, ending: Ending) -> bool:
    """Store how a task ended; return False if the database is unavailable."""
    try:
        _finish(task, ending)
    except Error as error:
        if not is_unavailable(error):
            raise
        logger.warning(
            "The result of agent task %s cannot be stored yet: %s",
            task.id,
            error_kind(error),
        )
        drop_connection()
        return False
    return True


def _finish(task: AgentTask, ending: Ending) -> None:
    try:
        finish_task(
            task=task, status=ending.status, result=ending.result, error=ending.error
        )
    except ResultRefused as error:
        finish_task(task=task, status=TaskStatus.FAILED, error=str(error))


def _store_pending_until_done() -> None:
    """Try to store the pending results, less and less often, until all are stored."""
    pauses = chain(FIRST_PAUSES, repeat(LONGEST_PAUSE))
    while _pending and not _reporter.is_stopping():
        _reporter.pause(next(pauses))
        for task, ending in list(_pending.values()):
            _store_late(task, ending)
    connection.close()


def _store_late(task: AgentTask, ending: Ending) -> None:
    try:
        if not _store(task, ending):
            return
        logger.info("The result of agent task %s is stored", task.id)
    except Exception:
        logger.exception("The result of agent task %s cannot be stored", task.id)
    _pending.pop(task.pk, None)


_reporter = BackgroundThread(_store_pending_until_done, name="report")


@worker_process_shutdown.connect
def _store_pending(**_: object) -> None:
    """Try once more for each result: this process ends, and its threads with it."""
    for task, ending in list(_pending.values()):
        _store(task, ending)
