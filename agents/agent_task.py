from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from celery.exceptions import SoftTimeLimitExceeded

from agents.models import AgentTask, TaskStatus
from agents.services.run import ResultRefused, claim_task, finish_task

logger = logging.getLogger(__name__)

AgentCode = Callable[[AgentTask], object]


def agent_task(function: AgentCode) -> Task[Any, Any]:
    """Make a Celery task of an agent's code: it claims, runs and reports.

    The code gets the AgentTask (`parameters`, `metadata`, `attempt`) and returns a
    JSON value. It runs once, unless its worker dies or falls silent: then it is run
    again with a higher `attempt`, so code with effects outside should use the
    `idempotency_key`. An exception ends the task as `failed`.
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
        result = function(task)
        finish_task(task=task, status=TaskStatus.SUCCEEDED, result=result)
    except SoftTimeLimitExceeded:
        error = f"Stopped after {task.agent.task_timeout_seconds} s"
        finish_task(task=task, status=TaskStatus.TIMEOUT, error=error)
    except ResultRefused as error:
        finish_task(task=task, status=TaskStatus.FAILED, error=str(error))
    except Exception as error:  # noqa: BLE001 - the edge of somebody else's code
        logger.warning("Agent task %s failed: %s", task.id, type(error).__name__)
        text = f"{type(error).__name__}: {error}"
        finish_task(task=task, status=TaskStatus.FAILED, error=text)
