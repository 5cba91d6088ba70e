from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.db.models.functions import Now

from agents.models import AgentTask, TaskStatus, Worker
from agents.services.heartbeat import beat, current_worker, forget_old_workers
from agents.services.run import (
    MAX_ATTEMPTS,
    ResultRefused,
    claim_task,
    finish_task,
    give_up_deadly,
    take_back_silent,
    time_out_overdue,
)
from agents.services.submit import submit_overdue, submit_tasks
from common.ids import uuid7
from tests.factories import make_agent, make_task
from tests.races import ROUNDS, race

pytestmark = pytest.mark.django_db(transaction=True)


def running(task: AgentTask | None = None) -> AgentTask:
    """A task that this process has claimed."""
    task = task or make_task()
    submit_tasks([task.id])
    claimed = claim_task(task_id=task.id)
    assert claimed is not None
    return claimed


def fall_silent() -> None:
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


def test_what_was_not_submitted_cannot_be_claimed() -> None:
    assert claim_task(task_id=make_task().id) is None


def test_a_live_workers_task_is_left_alone() -> None:
    running()
    beat(worker_id=current_worker())

    assert take_back_silent() == 0


def test_a_task_that_silences_each_worker_fails_after_five_attempts() -> None:
    task = running()
    AgentTask.objects.filter(pk=task.pk).update(attempt=MAX_ATTEMPTS)
    fall_silent()

    assert take_back_silent() == 0
    assert give_up_deadly() == 1

    task.refresh_from_db()
    assert task.status == TaskStatus.FAILED
    assert task.error == "Its worker died or missed heartbeats in each of 5 attempts"


def test_a_task_in_its_last_attempt_is_left_to_a_worker_that_lives() -> None:
    task = running()
    AgentTask.objects.filter(pk=task.pk).update(attempt=MAX_ATTEMPTS)

    assert give_up_deadly() == 0


def test_a_silent_workers_task_runs_again_as_a_further_attempt() -> None:
    task = running()
    fall_silent()

    assert take_back_silent() == 1
    assert take_back_silent() == 0
    assert submit_overdue() == 1

    beat(worker_id=current_worker())
    again = claim_task(task_id=task.id)
    assert again is not None
    assert (task.attempt, again.attempt) == (1, 2)
    assert (task.metadata["attempt"], again.metadata["attempt"]) == (1, 2)


def test_the_late_answer_of_an_old_attempt_is_refused() -> None:
    old = running()
    fall_silent()
    take_back_silent()
    assert not finish_task(task=old, status=TaskStatus.SUCCEEDED, result="late")
    new = claim_task(task_id=old.id)
    assert new is not None

    assert not finish_task(task=old, status=TaskStatus.SUCCEEDED, result="late")
    assert finish_task(task=new, status=TaskStatus.SUCCEEDED, result="new")

    new.refresh_from_db()
    assert (new.status, new.result) == (TaskStatus.SUCCEEDED, "new")


def test_one_of_eight_answers_counts() -> None:
    for _ in range(ROUNDS):
        task = running()

        def finish(task: AgentTask = task) -> bool:
            return finish_task(task=task, status=TaskStatus.SUCCEEDED)

        assert sum(race(finish)) == 1


def test_a_task_past_its_deadline_times_out() -> None:
    task = running()
    assert time_out_overdue() == 0
    AgentTask.objects.update(deadline_at=Now() - timedelta(seconds=1))

    assert time_out_overdue() == 1

    task.refresh_from_db()
    assert task.status == TaskStatus.TIMEOUT
    assert task.error == "No answer within 3600 s"
    assert not finish_task(task=task, status=TaskStatus.SUCCEEDED)


@pytest.mark.parametrize(
    "result",
    [None, "\x00\ud800", 2**70, {"a": [1, None, True, 0.1]}, [], ""],
)
def test_any_json_result_is_kept(result: object) -> None:
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
def test_a_result_that_cannot_be_kept_is_refused(result: object) -> None:
    task = running()

    with pytest.raises(ResultRefused):
        finish_task(task=task, status=TaskStatus.SUCCEEDED, result=result)

    task.refresh_from_db()
    assert task.status == TaskStatus.RUNNING


def test_an_error_is_kept_as_it_can_be_stored() -> None:
    task = running()

    finish_task(task=task, status=TaskStatus.FAILED, error="\x00\ud800" + "x" * 20_000)

    task.refresh_from_db()
    assert task.error[:3] == "\N{REPLACEMENT CHARACTER}?x"
    assert len(task.error) == 10_000


def test_a_worker_that_a_running_task_names_is_not_forgotten() -> None:
    running()
    idle = Worker.objects.create(
        id=uuid7(), name="idle", started_at=Now(), seen_at=Now()
    )
    Worker.objects.update(seen_at=Now() - timedelta(hours=2))

    assert forget_old_workers() == 1

    assert not Worker.objects.filter(pk=idle.pk).exists()
    assert take_back_silent() == 1
    assert forget_old_workers() == 1


def test_workers_of_long_ago_are_forgotten() -> None:
    current_worker()
    assert forget_old_workers() == 0
    Worker.objects.update(seen_at=Now() - timedelta(hours=2))

    assert forget_old_workers() == 1
