from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import Reject, SoftTimeLimitExceeded
from django.db import OperationalError, connection
from django.db.models.functions import Now

from agents import agent_task as module
from agents.agent_task import TaskResult, agent_task
from agents.models import AgentTask, TaskStatus
from agents.services import workers
from agents.services.run import claim_task, finish_task
from agents.services.submit import submit_tasks
from executions.sweep import watch_agents
from tests.acceptance.waiting import wait_for
from tests.factories import make_task
from tests.outages import closed_database, end_connections, read_only_database

pytestmark = pytest.mark.django_db(transaction=True)

DONE = (TaskStatus.SUCCEEDED, {"done": True})
FAILED = TaskResult(TaskStatus.FAILED)
calls: list[int] = []


@agent_task
def answer(task: AgentTask) -> object:
    calls.append(task.attempt)
    return {"done": True}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    calls.clear()
    monkeypatch.setattr(module, "FIRST_PAUSES", ())
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(module, "CLAIM_SECONDS", 10.0)
    monkeypatch.setattr(module, "CLAIM_PAUSE_SECONDS", 0.01)
    module._reporter.start()
    yield
    module._reporter.stop()
    module._reporter.join(60)
    connection.close()


def submitted() -> AgentTask:
    task = make_task()
    submit_tasks([task.id])
    return task


def claimed() -> AgentTask:
    task = claim_task(task_id=submitted().id)
    assert task is not None
    return task


def outcome(task: AgentTask) -> tuple[str, object]:
    task.refresh_from_db()
    return task.status, task.result


@pytest.mark.parametrize("outage", [read_only_database, closed_database])
def test_a_result_is_stored_once_the_database_is_back(outage: Any) -> None:
    task = claimed()

    with outage():
        module._run(lambda _: {"done": True}, task)
        assert task.pk in module._pending

    wait_for(lambda: outcome(task) == DONE, timeout_seconds=60)
    assert task.pk not in module._pending


def test_a_result_survives_a_time_limit_while_it_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = claimed()
    interruptions: list[Exception] = [SoftTimeLimitExceeded()]

    def interrupted(**fields: Any) -> bool:
        if interruptions:
            raise interruptions.pop()
        return finish_task(**fields)

    monkeypatch.setattr(module, "finish_task", interrupted)

    module._run(lambda _: {"done": True}, task)

    wait_for(lambda: outcome(task) == DONE, timeout_seconds=60)


def test_a_worker_that_shuts_down_tries_once_more_to_store_its_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = claimed()
    monkeypatch.setattr(module, "_pending", {task.pk: (task, FAILED)})

    module._store_pending()

    assert outcome(task) == (TaskStatus.FAILED, None)


@pytest.mark.parametrize("outage", [read_only_database, closed_database])
def test_a_message_returns_to_its_queue_if_its_task_cannot_be_claimed(
    outage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLAIM_SECONDS", 0.2)
    task = submitted()

    with outage(), pytest.raises(Reject) as rejection:
        answer(str(task.id))

    assert rejection.value.args == (None, True)  # to be queued again
    assert calls == []
    monkeypatch.setattr(module, "CLAIM_SECONDS", 10.0)
    answer(str(task.id))
    assert outcome(task) == DONE


def test_a_claim_without_the_servers_answer_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = submitted()

    def claim_and_lose_the_answer(*, task_id: Any) -> AgentTask | None:
        taken = claim_task(task_id=task_id)
        if taken is None:
            return None
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(module, "claim_task", claim_and_lose_the_answer)

    answer(str(task.id))

    assert outcome(task) == DONE
    assert calls == [1]


def test_is_cancelled_returns_false_during_an_outage() -> None:
    task = claimed()

    with closed_database():
        connection.close()
        assert not task.is_cancelled()

    AgentTask.objects.update(status=TaskStatus.CANCELLED)
    assert task.is_cancelled()


def test_no_time_limit_is_applied_right_after_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = claimed()
    AgentTask.objects.update(deadline_at=Now() - timedelta(seconds=1))

    assert watch_agents() == 0
    assert outcome(task) == (TaskStatus.RUNNING, None)

    monkeypatch.setattr(workers, "_steady_since", time.monotonic() - 20)
    assert watch_agents() == 1
    assert outcome(task) == (TaskStatus.TIMEOUT, None)


def test_a_second_message_for_a_pending_result_runs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = claimed()
    monkeypatch.setattr(module, "_pending", {task.pk: (task, FAILED)})

    assert module._find_unconfirmed_claim(task.pk) is None


def test_a_process_with_many_pending_results_claims_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = submitted()
    monkeypatch.setattr(module, "MAX_PENDING", 0)
    monkeypatch.setattr(module, "CLAIM_SECONDS", 0.05)

    with pytest.raises(Reject):
        answer(str(task.id))

    assert outcome(task) == (TaskStatus.SUBMITTED, None)


def test_a_task_is_claimed_after_the_server_was_restarted() -> None:
    task = submitted()
    end_connections()

    answer(str(task.id))

    assert outcome(task) == DONE
    assert calls == [1]
