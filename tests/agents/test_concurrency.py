from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from agents.models import AgentTask, TaskStatus
from agents.services.concurrency import (
    busy_keys,
    cancel_tasks,
    release_tasks,
    tasks_under_way,
)
from agents.services.heartbeat import current_worker
from agents.services.run import claim_task, finish_task
from agents.services.submit import submit_overdue, submit_tasks
from common.ids import uuid7
from tests.factories import make_task
from tests.races import ROUNDS, race_all

pytestmark = pytest.mark.django_db(transaction=True)


def stored(status: TaskStatus = TaskStatus.PENDING, **fields: Any) -> AgentTask:
    """A task of a key of its own, in some status."""
    task = make_task(concurrency_key=uuid7(), **fields)
    AgentTask.objects.filter(pk=task.pk).update(status=status)
    return task


def keys_of(*tasks: AgentTask) -> set[UUID]:
    return {task.concurrency_key for task in tasks if task.concurrency_key}


@pytest.mark.parametrize("status", TaskStatus)
def test_a_key_is_busy_until_its_task_has_ended(status: TaskStatus) -> None:
    task = stored(status)
    is_open = status in {TaskStatus.PENDING, TaskStatus.SUBMITTED, TaskStatus.RUNNING}

    assert busy_keys(keys_of(task)) == (keys_of(task) if is_open else set())
    assert tasks_under_way(keys_of(task)).count() == is_open


def test_one_key_says_nothing_of_another() -> None:
    ended, runs = stored(TaskStatus.SUCCEEDED), stored(TaskStatus.RUNNING)

    assert busy_keys(keys_of(ended, runs)) == keys_of(runs)


def test_a_held_task_is_in_nobodys_way_and_is_not_handed_over() -> None:
    held = stored(is_held=True)

    assert busy_keys(keys_of(held)) == set()
    assert submit_tasks([held.id]) == submit_overdue() == 0


def test_a_released_task_is_handed_over() -> None:
    held = stored(is_held=True)

    release_tasks([held.id])

    assert busy_keys(keys_of(held)) == keys_of(held)
    assert submit_tasks([held.id]) == 1


def test_what_is_not_held_is_not_released() -> None:
    task = stored(TaskStatus.SUBMITTED)

    release_tasks([task.id])

    again = AgentTask.objects.get(pk=task.pk)
    assert again.next_attempt_at == task.next_attempt_at


@pytest.mark.parametrize("is_held", [False, True])
def test_a_cancelled_task_says_why_and_is_never_run(is_held: bool) -> None:
    task = stored(is_held=is_held)

    assert cancel_tasks(task_ids=[task.id], error="No longer wanted") == [task.id]

    release_tasks([task.id])
    submit_overdue()
    assert claim_task(task_id=task.id) is None
    task.refresh_from_db()
    assert (task.status, task.error) == (TaskStatus.CANCELLED, "No longer wanted")
    assert task.finished_at is not None
    assert task.is_cancelled()


def test_a_task_that_ended_is_not_cancelled() -> None:
    task = stored(TaskStatus.FAILED)

    assert cancel_tasks(task_ids=[task.id], error="Late") == []

    assert not task.is_cancelled()


def test_of_cancelling_claiming_and_reporting_one_has_the_last_word() -> None:
    current_worker()
    for _ in range(ROUNDS):
        task = stored()
        submit_tasks([task.id])

        def work(task_id: UUID = task.id) -> bool:
            claimed = claim_task(task_id=task_id)
            return claimed is not None and finish_task(
                task=claimed, status=TaskStatus.SUCCEEDED
            )

        cancel = partial(cancel_tasks, task_ids=[task.id], error="Raced")
        acts: list[Callable[[], object]] = [work, cancel] * 4
        ended = [bool(answer) for answer in race_all(acts)]

        assert sum(ended) == 1
        assert AgentTask.objects.get(pk=task.pk).is_final
