from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from celery import Task
from celery.exceptions import SoftTimeLimitExceeded
from pytest_django import Settings

from agents import agent_task as module
from agents.agent_task import AgentTaskFailed, AgentTaskTimedOut, agent_task
from agents.models import AgentTask, TaskStatus
from agents.services.run import claim_task, finish_task
from agents.services.submit import submit_tasks
from agents.tasks import echo
from events.models import Event, EventType
from events.services.emit import emit
from executions.pipeline.drain import drain
from tests.factories import make_listener, make_task, record
from tests.races import race

pytestmark = pytest.mark.django_db(transaction=True)

calls: list[int] = []


@agent_task
def answer(task: AgentTask) -> object:
    calls.append(task.attempt)
    return {"got": task.parameters}


@agent_task
def fail(_: AgentTask) -> object:
    raise RuntimeError("no \x00")


@agent_task
def take_too_long(_: AgentTask) -> object:
    raise SoftTimeLimitExceeded


@agent_task
def answer_nonsense(_: AgentTask) -> object:
    return object()


@pytest.fixture(autouse=True)
def _forget_calls() -> None:
    calls.clear()


def ran(message: Task[Any, Any]) -> AgentTask:
    """Return a submitted task after one run of its Celery task."""
    task = make_task()
    submit_tasks([task.id])
    with suppress(AgentTaskFailed):
        message(str(task.id))
    task.refresh_from_db()
    return task


def test_the_return_value_of_the_code_is_the_result() -> None:
    task = ran(answer)

    assert task.status == TaskStatus.SUCCEEDED
    assert task.result == {"got": {"a": 1}}
    assert calls == [1]


def test_eight_messages_run_the_code_once() -> None:
    for _ in range(5):
        task = make_task()
        submit_tasks([task.id])
        calls.clear()

        race(partial(answer, str(task.id)))

        assert calls == [1]


def test_a_message_for_a_finished_task_does_nothing() -> None:
    task = ran(answer)

    answer(str(task.id))

    assert calls == [1]


def test_an_exception_fails_the_task() -> None:
    task = ran(fail)

    assert task.status == TaskStatus.FAILED
    assert task.error == "RuntimeError: no \N{REPLACEMENT CHARACTER}"


def test_the_soft_time_limit_is_a_timeout() -> None:
    task = ran(take_too_long)

    assert (task.status, task.error) == (TaskStatus.TIMEOUT, "Stopped after 3600 s")


def test_a_result_that_is_not_json_fails_the_task() -> None:
    task = ran(answer_nonsense)

    assert task.status == TaskStatus.FAILED
    assert task.error.startswith("The agent's result is not JSON: ")


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (fail, AgentTaskFailed, "RuntimeError"),
        (take_too_long, AgentTaskTimedOut, "Stopped after 3600 s"),
        (answer_nonsense, AgentTaskFailed, "The agent's result is not JSON"),
    ],
    ids=["raises", "takes too long", "returns no JSON"],
)
def test_a_task_that_fails_is_a_failure_to_celery_without_the_agents_message(
    message: Task[Any, Any], error: type[Exception], text: str
) -> None:
    task = make_task()
    submit_tasks([task.id])

    with pytest.raises(AgentTaskFailed) as raised:
        message(str(task.id))

    assert type(raised.value) is error
    assert str(raised.value) == f"{text} (agent task {task.id})"
    assert raised.value.__context__ is None
    # Nothing to do for a second message.
    assert message(str(task.id)) is None


@pytest.mark.parametrize(
    ("message", "state"),
    [(fail, "FAILURE"), (answer, "SUCCESS")],
    ids=["fail", "answer"],
)
def test_celery_has_the_state_of_the_task(message: Task[Any, Any], state: str) -> None:
    task = make_task()
    submit_tasks([task.id])

    assert message.apply(args=(str(task.id),)).state == state


@pytest.mark.parametrize("status", [TaskStatus.TIMEOUT, TaskStatus.CANCELLED])
def test_celery_counts_a_task_that_ended_before_its_code_as_it_ended(
    status: TaskStatus,
) -> None:
    task = make_task()
    submit_tasks([task.id])
    claimed = claim_task(task_id=task.id)
    assert claimed is not None
    finish_task(task=claimed, status=status)

    result = module._run(lambda _: 1, claimed)

    assert (result.status, result.result) == (status, None)


@pytest.mark.parametrize("is_set", [False, True])
def test_celery_gets_the_result_only_if_it_is_asked_to_store_it(
    settings: Settings, is_set: bool
) -> None:
    settings.TICKHOOK_CELERY_RESULTS = is_set
    task = make_task()
    submit_tasks([task.id])

    assert answer(str(task.id)) == ({"got": {"a": 1}} if is_set else None)


def test_the_demo_agent_echoes() -> None:
    assert ran(echo).result == {"received": {"a": 1}, "attempt": 1}


def test_an_event_that_an_agent_emits_names_its_cause() -> None:
    EventType.objects.get_or_create(name="ticket.created")
    make_listener()
    first = record()
    drain()
    task = AgentTask.objects.get()
    submit_tasks([task.id])
    claimed = claim_task(task_id=task.id)
    assert claimed is not None

    module._run(lambda _: str(emit("ticket.created", {}).event_id), claimed)

    task.refresh_from_db()
    emitted = Event.objects.get(pk=task.result)
    assert (emitted.cause_id, emitted.depth) == (first.id, 1)
    assert emitted.correlation_id == first.correlation_id
