"""What a Celery message makes a worker process do: run the waiting tasks of an agent.

The message is a hint, or names one task. Messages of both kinds may come twice or late:
the claim of a row decides who runs a task.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from celery.exceptions import Reject, SoftTimeLimitExceeded
from django.db import Error

from agents.backends.celery import WORK_SECONDS, send_hints
from agents.models import Agent, AgentTask
from agents.runner.chunk import Chunk
from agents.runner.code import AgentCode
from agents.runner.events import TaskEvents
from agents.runner.results import Reporter, can_claim, held_ids
from agents.services.celery_results import CeleryRun
from agents.services.chunks import (
    ClaimedTasks,
    claim_waiting,
    find_unconfirmed,
)
from agents.services.hints import Hint, begin_hint
from agents.services.run import claim_task, find_claimed
from common.database.errors import drop_connection, error_kind, is_unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

# How long a process keeps a message whose task it cannot claim, and between two tries.
CLAIM_SECONDS = 10.0
CLAIM_PAUSE_SECONDS = 1.0
# Tasks are claimed for about this time, but not more than so many.
CHUNK_SECONDS = 0.05
MAX_CHUNK = 20

# The recent seconds per task of each agent.
_pace: dict[UUID, float] = {}
# Agents and tasks whose last claim failed: it may have succeeded in the database.
_in_doubt: set[UUID] = set()


class AgentWorker:
    """The code of an agent as the Celery task of one worker."""

    def __init__(self, code: AgentCode, *, name: str, worker: str) -> None:
        self._code = code
        self._name = name
        run = CeleryRun(name=name, worker=worker)
        self._reporter = Reporter(run=run, events=TaskEvents(name=name, worker=worker))

    def run_one(self, task_id: UUID) -> None:
        """Run one task, if it waits. Celery's own time limits of the message apply."""

        def claim() -> AgentTask | None:
            if task_id in _in_doubt:
                is_known = task_id in held_ids
                found = None if is_known else find_claimed(task_id=task_id)
                _in_doubt.discard(task_id)
                if found:
                    return found
            with _doubted(task_id):
                return claim_task(task_id=task_id)

        if task := _patiently(claim):
            chunk = Chunk([task], reporter=self._reporter, has_limit=False)
            chunk.run(self._code)

    def work(self, hint: Hint) -> None:
        """Run the waiting tasks of an agent for some seconds, or until none waits.

        If some are left, another hint lets the next process continue.
        """
        until = time.monotonic() + WORK_SECONDS

        def begin() -> tuple[datetime, Agent | None]:
            # The slot is free before the first claim: see agents.services.hints.
            now = begin_hint(hint)
            return now, Agent.objects.filter(pk=hint.agent_id).first()

        now, agent = _patiently(begin)
        if agent is None:
            return
        if agent.config.get("task") != self._name:
            # The agent was changed since; the new hint is for its new Celery task.
            send_hints(agent, 1)
            return
        may_need_help = True
        claim = partial(self._claim, agent, now, hint.turn_at)
        wake = partial(send_hints, agent)
        while (claimed := _patiently(claim)).tasks:
            if may_need_help and claimed.has_more:
                send_hints(agent, 1)
                may_need_help = False
            chunk = Chunk(claimed.tasks, reporter=self._reporter, wake=wake)
            seconds = chunk.run(self._code)
            recent = sum(seconds) / max(1, len(seconds))
            _pace[agent.id] = (_pace.get(agent.id, recent) + recent) / 2
            if time.monotonic() > until:
                send_hints(agent, 1)
                return

    def _claim(
        self, agent: Agent, now: datetime, shown: datetime | None
    ) -> ClaimedTasks:
        if agent.id in _in_doubt:
            found = find_unconfirmed(agent=agent, known=held_ids)
            _in_doubt.discard(agent.id)
            if found.tasks:
                return found
        # Until it is known that tasks take milliseconds, one at a time.
        pace = max(_pace.get(agent.id, CHUNK_SECONDS), CHUNK_SECONDS / MAX_CHUNK)
        limit = max(1, int(CHUNK_SECONDS / pace))
        with _doubted(agent.id):
            return claim_waiting(agent=agent, limit=limit, now=now, shown=shown)


@contextmanager
def _doubted(key: UUID) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _in_doubt.add(key)
        raise


def _patiently(act: Callable[[], T]) -> T:
    """Return the result of `act`, or return the message to its queue.

    It is called again and again for a while, if the database is unavailable.
    """
    deadline = time.monotonic() + CLAIM_SECONDS
    try:
        while time.monotonic() < deadline:
            if can_claim():
                try:
                    return act()
                except Error as error:
                    if not is_unavailable(error):
                        raise
                    drop_connection()
                    logger.warning("Tasks cannot be claimed yet: %s", error_kind(error))
            time.sleep(CLAIM_PAUSE_SECONDS)
    except SoftTimeLimitExceeded:
        logger.warning("No time is left to claim a task")
    raise Reject(requeue=True)
