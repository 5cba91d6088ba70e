from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from celery.exceptions import Reject, SoftTimeLimitExceeded
from django.db import DataError, OperationalError, connection
from django.db.models.functions import Now

from agents.agent_task import agent_task
from agents.models import AgentTask, TaskStatus
from agents.runner import hints, results
from agents.runner.events import TaskEvents
from agents.runner.results import Reporter
from agents.services import workers
from agents.services.celery_results import CeleryRun
from agents.services.chunks import EndedTask, end_tasks
from agents.services.run import claim_task
from agents.services.submit import submit_tasks
from executions.sweep import watch_agents
from tests.acceptance.waiting import wait_for
from tests.agents.hinting import broker as broker
from tests.agents.hinting import hinted_agent, length, take_messages, waiting_tasks
from tests.factories import make_task
from tests.outages import closed_database, end_connections, read_only_database

pytestmark = pytest.mark.django_db(transaction=True)

DONE = (TaskStatus.SUCCEEDED, {"done": True})
reporter = Reporter(
    run=CeleryRun(name="shop.tasks.thank", worker="shop@test"),
    events=TaskEvents(name="shop.tasks.thank", worker="shop@test"),
)
calls: list[int] = []


@agent_task
def answer(task: AgentTask) -> object:
    calls.append(task.attempt)
    return {"done": True}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    calls.clear()
    monkeypatch.setattr(results, "FIRST_PAUSES", ())
    monkeypatch.setattr(results, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(hints, "CLAIM_SECONDS", 10.0)
    monkeypatch.setattr(hints, "CLAIM_PAUSE_SECONDS", 0.01)
    results._storing.start()
    yield
    results._storing.stop()
    results._storing.join(60)
    results._pending.clear()
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


def succeeded(task: AgentTask) -> EndedTask:
    return EndedTask(task=task, status=TaskStatus.SUCCEEDED, result='{"done":true}')


@pytest.mark.parametrize("outage", [read_only_database, closed_database])
def test_results_are_stored_once_the_database_is_back(outage: Any) -> None:
    tasks = [claimed(), claimed()]

    with outage():
        reporter.report([succeeded(task) for task in tasks])
        assert set(results._pending) == {task.pk for task in tasks}

    wait_for(lambda: outcome(tasks[1]) == DONE, timeout_seconds=60)
    assert outcome(tasks[0]) == DONE
    assert not results._pending


def test_a_result_survives_a_time_limit_while_it_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = claimed()
    interruptions: list[Exception] = [SoftTimeLimitExceeded()]

    def interrupted(*given: Any, **options: Any) -> Any:
        if interruptions:
            raise interruptions.pop()
        return end_tasks(*given, **options)

    monkeypatch.setattr(results, "end_tasks", interrupted)

    reporter.report([succeeded(task)])

    wait_for(lambda: outcome(task) == DONE, timeout_seconds=60)
    assert interruptions == []


def test_a_result_that_cannot_be_stored_fails_its_task_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks = [claimed(), claimed(), claimed()]

    def refuse(ended: Any, **options: Any) -> Any:
        if any(one.task == tasks[1] and one.result for one in ended):
            raise DataError("nested too deeply")
        return end_tasks(ended, **options)

    monkeypatch.setattr(results, "end_tasks", refuse)

    reporter.report([succeeded(task) for task in tasks])

    assert [outcome(task) for task in tasks] == [DONE, (TaskStatus.FAILED, None), DONE]
    assert tasks[1].error == "The result cannot be stored: DataError"


def test_a_worker_that_shuts_down_tries_once_more_to_store_its_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, waiting = claimed(), claimed()
    monkeypatch.setattr(results, "_pending", {task.pk: (reporter, succeeded(task))})
    monkeypatch.setattr(results, "_unreleased", {waiting.pk: waiting})

    results._store_pending()

    assert outcome(task) == DONE
    assert outcome(waiting) == (TaskStatus.SUBMITTED, None)


@pytest.mark.parametrize("outage", [read_only_database, closed_database])
def test_a_hint_returns_to_its_queue_if_no_task_can_be_claimed(
    broker: redis.Redis, outage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "CLAIM_SECONDS", 0.2)
    [task] = waiting_tasks(hinted_agent(answer), 1)
    submit_tasks([task.id])
    [message] = take_messages(broker)

    with outage(), pytest.raises(Reject) as rejection:
        answer(message)

    assert rejection.value.args == (None, True)  # to be queued again
    assert calls == []
    monkeypatch.setattr(hints, "CLAIM_SECONDS", 10.0)
    answer(message)
    assert outcome(task) == DONE
    assert length(broker) == 0


def test_a_claim_without_the_servers_answer_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = submitted()

    def claim_and_lose_the_answer(*, task_id: Any) -> AgentTask | None:
        taken = claim_task(task_id=task_id)
        if taken is None:
            return None
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(hints, "claim_task", claim_and_lose_the_answer)

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


def test_a_process_with_many_pending_results_claims_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = submitted()
    monkeypatch.setattr(results, "MAX_PENDING", 0)
    monkeypatch.setattr(hints, "CLAIM_SECONDS", 0.05)

    with pytest.raises(Reject):
        answer(str(task.id))

    assert outcome(task) == (TaskStatus.SUBMITTED, None)


def test_a_task_is_claimed_after_the_server_was_restarted() -> None:
    task = submitted()
    end_connections()

    answer(str(task.id))

    assert outcome(task) == DONE
    assert calls == [1]
