from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from celery.exceptions import Reject, SoftTimeLimitExceeded
from django.db import Error

from agents.models import AgentTask, TaskStatus
from agents.services.reports import (
    Ending,
    has_too_many_pending,
    is_pending,
    report,
)
from agents.services.run import claim_task, find_claimed
from common.correlation import cause_from_metadata, emit_because_of
from common.database.errors import (
    drop_connection,
    error_kind,
    is_unavailable,
)

logger = logging.getLogger(__name__)

# How long a message is kept while its task cannot be claimed, and between two tries.
CLAIM_SECONDS = 10.0
CLAIM_PAUSE_SECONDS = 1.0

AgentCode = Callable[[AgentTask], object]

_ids_in_hand: set[UUID] = set()


def agent_task(function: AgentCode) -> Task[Any, Any]:
    """Make a Celery task of an agent's code: it claims, runs and reports.

    The code gets the AgentTask (`parameters`, `metadata`, `attempt`) and returns a
    JSON value. It runs once, unless its worker dies or misses its heartbeats: then it
    is run again with a higher `attempt`, so code with effects outside should use the
    `idempotency_key`. An exception ends the task as `failed`. What the code emits says
    which event led to it.
    """

    @shared_task(name=f"{function.__module__}.{function.__name__}")
    @wraps(function)
    def run(task_id: str) -> None:
        task = _claim(UUID(task_id))
        if task is not None:
            with _in_hand(task):
                _run(function, task)

    return run


def _run(function: AgentCode, task: AgentTask) -> None:
    report(task, _call(function, task))


def _call(function: AgentCode, task: AgentTask) -> Ending:
    try:
        with emit_because_of(cause_from_metadata(task.metadata)):
            return Ending(TaskStatus.SUCCEEDED, result=function(task))
    except SoftTimeLimitExceeded:
        seconds = task.agent.task_timeout_seconds
        return Ending(TaskStatus.TIMEOUT, error=f"Stopped after {seconds} s")
    except Exception as error:  # noqa: BLE001 - the edge of an agent's own code
        logger.warning("Agent task %s failed: %s", task.id, type(error).__name__)
        return Ending(TaskStatus.FAILED, error=f"{type(error).__name__}: {error}")


def _claim(task_id: UUID) -> AgentTask | None:
    """Claim a task; while that is impossible, put its message back into the queue."""
    try:
        deadline = time.monotonic() + CLAIM_SECONDS
        is_repeated = False
        while time.monotonic() < deadline:
            if not has_too_many_pending():
                try:
                    return claim_task(task_id=task_id) or (
                        _claimed_before(task_id) if is_repeated else None
                    )
                except Error as error:
                    _note_unclaimed(task_id, error)
                    is_repeated = True
            time.sleep(CLAIM_PAUSE_SECONDS)
    except SoftTimeLimitExceeded:
        logger.warning("Agent task %s: no time is left to claim it", task_id)
    raise Reject(requeue=True)


def _claimed_before(task_id: UUID) -> AgentTask | None:
    """Return a task that a claim took without getting the server's answer."""
    if task_id in _ids_in_hand or is_pending(task_id):
        return None
    return find_claimed(task_id=task_id)


@contextmanager
def _in_hand(task: AgentTask) -> Iterator[None]:
    """Note that this process runs a task: a second message for it claims nothing."""
    _ids_in_hand.add(task.pk)
    try:
        yield
    finally:
        _ids_in_hand.discard(task.pk)


def _note_unclaimed(task_id: UUID, error: Error) -> None:
    """Log why a task cannot be claimed now; raise what is no matter of waiting."""
    if not is_unavailable(error):
        raise error
    drop_connection()
    logger.warning(
        "Agent task %s cannot be claimed yet: %s", task_id, error_kind(error)
    )
