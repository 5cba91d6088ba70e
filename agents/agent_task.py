"""How the code of an agent becomes a Celery task: the decorator `agent_task`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import wraps
from typing import Any
from uuid import UUID

from celery import Task, current_app, shared_task
from celery.signals import worker_process_init
from django.db import Error

from agents.runner.code import AgentCode
from agents.runner.hints import AgentWorker
from agents.services.hints import announce_tasks, read_hint
from common.database.errors import drop_connection, error_kind
from common.threads import BackgroundThread

logger = logging.getLogger(__name__)

ANNOUNCE_SECONDS = 60.0

_names: set[str] = set()


def agent_task(function: AgentCode) -> Task[Any, Any]:
    """Make the code of an agent a Celery task that claims, runs and reports tasks.

    The function gets an AgentTask (`parameters`, `metadata`, `attempt`) and returns a
    JSON value. It runs once, unless its worker dies or misses its heartbeats: then it
    runs again with a higher `attempt`. So a function with effects elsewhere should use
    the `idempotency_key`. An exception ends the task as `failed`. Events that the
    function emits name the event that caused them.
    """
    name = f"{function.__module__}.{function.__name__}"
    workers: dict[str, AgentWorker] = {}

    # Celery's events and results are those of the agent's tasks, not of the messages.
    @shared_task(name=name, send_events=False, ignore_result=True)
    @wraps(function)
    def run(message: str | Mapping[str, Any]) -> None:
        host = str(run.request.hostname or "")
        if host not in workers:
            workers[host] = AgentWorker(function, name=name, worker=host)
        if isinstance(message, str):
            workers[host].run_one(UUID(message))
        else:
            workers[host].work(read_hint(message))

    _names.add(name)
    return run


def _announce() -> None:
    """Record which Celery tasks this worker can run by hints, and which not."""
    queues = list(current_app.amqp.queues.consume_from)
    others = {str(name) for name in current_app.tasks} - _names
    try:
        announce_tasks(queues, hinted=sorted(_names), others=sorted(others))
    except Error as error:
        logger.warning("The worker is not announced yet: %s", error_kind(error))
        drop_connection()


_announcer = BackgroundThread(
    _announce, name="announce", every_seconds=ANNOUNCE_SECONDS
)


@worker_process_init.connect
def _start_announcing(**_: object) -> None:
    _announcer.wake()
