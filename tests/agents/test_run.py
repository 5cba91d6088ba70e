from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db.models.functions import Now

from agents.models import AgentTask, TaskStatus, Worker
from agents.services.run import (
    MAX_ATTEMPTS,
    ResultRejected,
    busy_keys,
    busy_tasks,
    cancel_tasks,
    claim_task,
    fail_tasks_out_of_attempts,
    finish_task,
    release_tasks,
    resubmit_tasks_of_dead_workers,
    time_out_overdue_tasks,
)
from agents.services.submit import submit_due_tasks, submit_tasks
from agents.services.workers import current_worker, delete_old_workers, record_heartbeat
from common.ids import uuid7
from tests.factories import make_agent, make_task
from tests.races import ROUNDS, race, race_all

pytestmark = pytest.mark.django_db(transaction=True)


def running(task: AgentTask | None = None) -> AgentTask:
    """Return a task that this process has claimed."""
    task = task or make_task()
    submit_tasks([task.id])
    claimed = claim_task(task_id=task.id)
    assert claimed is not None
    return claimed


def miss_heartbeats() -> None:
    Worker.objects.update(seen_at=Now() - timedelta(seconds=21))


def test_eight_workers_claim_a_task_once() -> None:
    current_worker()
    for _ in range(ROUNDS):
        task = make_task()
        submit_tasks([task.id])

        claims = race(partial(claim_task, task_id=task.id))

        assert sum(claim is not None for claim in claims) == 1


def test_a_claim_sets_worker_start_and_deadline() -> None:
    task = running(make_task(agent=make_agent(task_timeout_seconds=60)))

    task.refresh_from_db()
    assert task.status == TaskStatus.RUNNING
    assert task.claimed_by == current_worker()
    assert task.started_at is not None
    assert task.deadline_at == task.started_at + timedelta(seconds=60)


def test_a_task_that_was_not_submitted_cannot_be_claimed() -> None:
    assert claim_task(task_id=make_task().id) is None


def test_the_task_of_a_live_worker_is_not_resubmitted() -> None:
    running()
    record_heartbeat(worker_id=current_worker())

    assert resubmit_tasks_of_dead_workers() == 0


def test_a_task_that_loses_five_workers_fails() -> None:
    task = running()
    AgentTask.objects.filter(pk=task.pk).update(attempt=MAX_ATTEMPTS)
    miss_heartbeats()

    assert resubmit_tasks_of_dead_workers() == 0
    assert fail_tasks_out_of_attempts() == 1

    task.refresh_from_db()
    assert task.status == TaskStatus.FAILED
    assert task.error == "The worker died or missed heartbeats in each of 5 attempts"


def test_the_last_attempt_of_a_live_worker_is_not_failed() -> None:
    task = running()
    AgentTask.objects.filter(pk=task.pk).update(attempt=MAX_ATTEMPTS)

    assert fail_tasks_out_of_attempts() == 0


def test_the_task_of_a_dead_worker_runs_again_as_a_further_attempt() -> None:
    task = running()
    miss_heartbeats()

    assert resubmit_tasks_of_dead_workers() == 1
    assert resubmit_tasks_of_dead_workers() == 0
    assert submit_due_tasks() == 1

    record_heartbeat(worker_id=current_worker())
    again = claim_task(task_id=task.id)
    assert again is not None
    assert (task.attempt, again.attempt) == (1, 2)
    assert (task.metadata["attempt"], again.metadata["attempt"]) == (1, 2)


def test_the_late_result_of_an_old_attempt_is_rejected() -> None:
    old = running()
    miss_heartbeats()
    resubmit_tasks_of_dead_workers()
    assert not finish_task(task=old, status=TaskStatus.SUCCEEDED, result="late")
    new = claim_task(task_id=old.id)
    assert new is not None

    assert not finish_task(task=old, status=TaskStatus.SUCCEEDED, result="late")
    assert finish_task(task=new, status=TaskStatus.SUCCEEDED, result="new")

    new.refresh_from_db()
    assert (new.status, new.result) == (TaskStatus.SUCCEEDED, "new")


def test_one_of_eight_results_is_stored() -> None:
    for _ in range(ROUNDS):
        task = running()

        def finish(task: AgentTask = task) -> bool:
            return finish_task(task=task, status=TaskStatus.SUCCEEDED)

        assert sum(race(finish)) == 1


def test_a_task_past_its_deadline_times_out() -> None:
    task = running()
    assert time_out_overdue_tasks() == 0
    AgentTask.objects.update(deadline_at=Now() - timedelta(seconds=1))

    assert time_out_overdue_tasks() == 1

    task.refresh_from_db()
    assert task.status == TaskStatus.TIMEOUT
    assert task.error == "The agent did not finish within 3600 s"
    assert not finish_task(task=task, status=TaskStatus.SUCCEEDED)


@pytest.mark.parametrize(
    "result",
    [None, "\x00\ud800", 2**70, {"a": [1, None, True, 0.1]}, [], ""],
)
def test_any_json_result_is_stored(result: object) -> None:
    task = running()

    finish_task(task=task, status=TaskStatus.SUCCEEDED, result=result)

    task.refresh_from_db()
    assert task.result == result


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "result",
    [object(), float("nan"), {1, 2}, b"bytes", nested(100_000), "x" * (16 * 2**20)],
    ids=["object", "nan", "set", "bytes", "deep", "large"],
)
def test_a_result_that_cannot_be_stored_is_rejected(result: object) -> None:
    task = running()

    with pytest.raises(ResultRejected):
        finish_task(task=task, status=TaskStatus.SUCCEEDED, result=result)

    task.refresh_from_db()
    assert task.status == TaskStatus.RUNNING


def test_an_error_is_cleaned_before_it_is_stored() -> None:
    task = running()

    finish_task(task=task, status=TaskStatus.FAILED, error="\x00\ud800" + "x" * 20_000)

    task.refresh_from_db()
    assert task.error[:3] == "\N{REPLACEMENT CHARACTER}?x"
    assert len(task.error) == 10_000


def test_a_worker_that_a_running_task_names_is_not_deleted() -> None:
    running()
    idle = Worker.objects.create(
        id=uuid7(), name="idle", started_at=Now(), seen_at=Now()
    )
    Worker.objects.update(seen_at=Now() - timedelta(hours=2))

    assert delete_old_workers() == 1

    assert not Worker.objects.filter(pk=idle.pk).exists()
    assert resubmit_tasks_of_dead_workers() == 1
    assert delete_old_workers() == 1


def test_old_workers_are_deleted() -> None:
    current_worker()
    assert delete_old_workers() == 0
    Worker.objects.update(seen_at=Now() - timedelta(hours=2))

    assert delete_old_workers() == 1


def stored(status: TaskStatus = TaskStatus.PENDING, **fields: Any) -> AgentTask:
    """Return a task with a concurrency key of its own."""
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
    assert busy_tasks(keys_of(task)).count() == is_open


def test_keys_are_independent_of_each_other() -> None:
    ended, runs = stored(TaskStatus.SUCCEEDED), stored(TaskStatus.RUNNING)

    assert busy_keys(keys_of(ended, runs)) == keys_of(runs)


def test_a_held_task_excludes_no_other_and_is_not_submitted() -> None:
    held = stored(is_held=True)

    assert busy_keys(keys_of(held)) == set()
    assert submit_tasks([held.id]) == submit_due_tasks() == 0


def test_a_released_task_is_submitted() -> None:
    held = stored(is_held=True)

    release_tasks([held.id])

    assert busy_keys(keys_of(held)) == keys_of(held)
    assert submit_tasks([held.id]) == 1


def test_a_task_that_is_not_held_is_not_released() -> None:
    task = stored(TaskStatus.SUBMITTED)

    release_tasks([task.id])

    again = AgentTask.objects.get(pk=task.pk)
    assert again.next_attempt_at == task.next_attempt_at


@pytest.mark.parametrize("is_held", [False, True])
def test_a_cancelled_task_has_a_reason_and_never_runs(is_held: bool) -> None:
    task = stored(is_held=is_held)

    assert cancel_tasks(task_ids=[task.id], error="No longer wanted") == [task.id]

    release_tasks([task.id])
    submit_due_tasks()
    assert claim_task(task_id=task.id) is None
    task.refresh_from_db()
    assert (task.status, task.error) == (TaskStatus.CANCELLED, "No longer wanted")
    assert task.finished_at is not None
    assert task.is_cancelled()


def test_a_task_that_ended_is_not_cancelled() -> None:
    task = stored(TaskStatus.FAILED)

    assert cancel_tasks(task_ids=[task.id], error="Late") == []

    assert not task.is_cancelled()


def test_concurrent_cancel_claim_and_report_have_one_winner() -> None:
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
