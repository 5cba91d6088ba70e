"""Stores how tasks ended: at once or, while the database is unavailable, later.

A process that runs tasks must not wait for the database with a result in its hands: its
time may be over. So a thread keeps the result. As long as the worker's heartbeat
continues, no other worker gets the task.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_process_shutdown
from django.db import Error, connection

from agents.models import FINAL_TASK_STATUSES, AgentTask, TaskStatus
from agents.runner.events import TaskEvents
from agents.services.celery_results import CeleryRun
from agents.services.chunks import EndedTask, end_tasks, release_claimed
from common.database.errors import drop_connection, error_kind, is_unavailable
from common.threads import BackgroundThread

logger = logging.getLogger(__name__)

# Pauses between attempts to store results.
FIRST_PAUSES = (0.5, 1.0, 2.0)
LONGEST_PAUSE = 5.0
# A result can have 16 MB: a process with this many unstored results claims no task.
MAX_PENDING = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Reports the ends of the tasks that a worker runs by one Celery task."""

    run: CeleryRun
    events: TaskEvents

    def report(self, ended: Sequence[EndedTask]) -> None:
        """Store how tasks ended, at once or from a thread, and add their events."""
        if not ended:
            return
        try:
            is_stored = self.store(ended)
        except SoftTimeLimitExceeded:  # the agent's code itself was in time
            drop_connection()
            is_stored = False
        if not is_stored:
            _pending.update({one.task.pk: (self, one) for one in ended})
            _storing.wake()

    def store(self, ended: Sequence[EndedTask]) -> bool:
        """Store how tasks ended; return False if the database is unavailable.

        If the rows cannot be stored together, each is stored alone.
        """
        try:
            self._end(ended)
        except Error as error:
            if is_unavailable(error):
                logger.warning(
                    "%d results of agent tasks cannot be stored yet: %s",
                    len(ended),
                    error_kind(error),
                )
                drop_connection()
                return False
            if len(ended) > 1:
                # All of them, also after one that has to wait.
                return False not in [self.store([one]) for one in ended]
            [one] = ended
            if one.status == TaskStatus.FAILED and not one.result:
                raise
            text = f"The result cannot be stored: {error_kind(error)}"
            failed = replace(one, status=TaskStatus.FAILED, result=None, error=text)
            return self.store([failed])
        return True

    def _end(self, ended: Sequence[EndedTask]) -> None:
        stored = end_tasks(ended, celery_run=self.run)
        late = [one for one in ended if one.task.pk not in stored]
        for one in ended:
            held_ids.discard(one.task.pk)
            if one.task.pk in stored:
                self.events.end(one)
        for one in _ended_before(late):
            self.events.end(one)


def _ended_before(late: Sequence[EndedTask]) -> list[EndedTask]:
    """Return how tasks ended whose results came too late, because others ended them."""
    if not late:
        return []
    rows = AgentTask.objects.filter(pk__in=[one.task.pk for one in late])
    statuses = dict(rows.values_list("pk", "status"))
    before = []
    for one in late:
        status = TaskStatus(statuses.get(one.task.pk, TaskStatus.CANCELLED))
        if status == one.status:
            # Stored before: the connection broke before PostgreSQL's answer.
            before.append(one)
        elif status in FINAL_TASK_STATUSES:
            text = "The result came too late"
            before.append(replace(one, status=status, result=None, error=text))
    return before


# The tasks that this process has claimed, until it has stored how they ended.
held_ids: set[UUID] = set()
_pending: dict[UUID, tuple[Reporter, EndedTask]] = {}
_unreleased: dict[UUID, AgentTask] = {}


def can_claim() -> bool:
    """Return whether this process has few unstored results."""
    return len(_pending) < MAX_PENDING


def release(tasks: Sequence[AgentTask]) -> bool:
    """Make claimed tasks wait again; return False if a thread will do it later."""
    try:
        release_claimed(tasks)
    except (Error, SoftTimeLimitExceeded) as error:
        logger.warning("Tasks cannot be released yet: %s", error_kind(error))
        drop_connection()
        _unreleased.update({task.pk: task for task in tasks})
        _storing.wake()
        return False
    held_ids.difference_update(task.pk for task in tasks)
    return True


def _store_until_done() -> None:
    """Try to store what is pending, less and less often, until all is stored."""
    pauses = chain(FIRST_PAUSES, repeat(LONGEST_PAUSE))
    while (_pending or _unreleased) and not _storing.is_stopping():
        _storing.pause(next(pauses))
        _store_pending()
    connection.close()


@worker_process_shutdown.connect
def _store_pending(**_: object) -> None:
    """Try once more to store each result.

    A process that ends does so, too, because the thread ends with it.
    """
    for reporter, ended in list(_pending.values()):
        try:
            if not reporter.store([ended]):
                continue
            logger.info("The result of agent task %s is stored", ended.task.id)
            reporter.events.flush()
        except Exception:
            logger.exception(
                "The result of agent task %s cannot be stored", ended.task.id
            )
        _pending.pop(ended.task.pk, None)
    unreleased = list(_unreleased.values())
    if unreleased and release(unreleased):
        for task in unreleased:
            _unreleased.pop(task.pk, None)


_storing = BackgroundThread(_store_until_done, name="report")
