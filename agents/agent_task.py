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
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, connection

from agents.models import AgentTask, TaskStatus
from agents.services.run import ResultRefused, claim_task, finish_task
from common.causes import cause_in, emitting_because_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an agent's code came to its end."""

    status: TaskStatus
    result: object = None
    error: str = ""


AgentCode = Callable[[AgentTask], object]


def agent_task(function: AgentCode) -> Task[Any, Any]:
    """Make a Celery task of an agent's code: it claims, runs and reports.

    The code gets the AgentTask (`parameters`, `metadata`, `attempt`) and returns a
    JSON value. It runs once, unless its worker dies or falls silent: then it is run
    again with a higher `attempt`, so code with effects outside should use the
    `idempotency_key`. An exception ends the task as `failed`. What the code emits says
    which event led to it.
    """

    @shared_task(name=f"{function.__module__}.{function.__name__}")
    @wraps(function)
    def run(task_id: str) -> None:
        task = claim_task(task_id=UUID(task_id))
        if task is not None:
            _run(function, task)

    return run


def _run(function: AgentCode, task: AgentTask) -> None:
    try:
        with emitting_because_of(cause_in(task.metadata)):
            ending = Ending(TaskStatus.SUCCEEDED, result=function(task))
    except SoftTimeLimitExceeded:
        seconds = task.agent.task_timeout_seconds
        ending = Ending(TaskStatus.TIMEOUT, error=f"Stopped after {seconds} s")
    except Exception as error:  # noqa: BLE001 - the edge of somebody else's code
        logger.warning("Agent task %s failed: %s", task.id, type(error).__name__)
        ending = Ending(TaskStatus.FAILED, error=f"{type(error).__name__}: {error}")
    _report(task, ending)


def _report(task: AgentTask, ending: Ending) -> None:
    """Record how a task ended, however long the database is away."""
    for pause_seconds in chain((1, 2, 4, 8), repeat(15)):
        try:
            _finish(task, ending)
        except (OperationalError, InterfaceError) as error:
            logger.warning(
                "The end of agent task %s waits: %s", task.id, type(error).__name__
            )
            connection.close()
            time.sleep(pause_seconds)
        else:
            return


def _finish(task: AgentTask, ending: Ending) -> None:
    try:
        finish_task(
            task=task, status=ending.status, result=ending.result, error=ending.error
        )
    except ResultRefused as error:
        finish_task(task=task, status=TaskStatus.FAILED, error=str(error))
