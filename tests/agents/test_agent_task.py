from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from celery import Task
from celery.exceptions import SoftTimeLimitExceeded

from agents.agent_task import agent_task
from agents.models import AgentTask, TaskStatus
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
def leave(_: AgentTask) -> object:
    raise SystemExit(3)


@agent_task
def take_too_long(_: AgentTask) -> object:
    raise SoftTimeLimitExceeded


@agent_task
def answer_nonsense(_: AgentTask) -> object:
    return object()


@agent_task
def emit_event(_: AgentTask) -> object:
    return str(emit("ticket.created", {}).event_id)


@pytest.fixture(autouse=True)
def _forget_calls() -> None:
    calls.clear()


def ran(message: Task[Any, Any]) -> AgentTask:
    """Return a submitted task after a message that names it."""
    task = make_task()
    submit_tasks([task.id])
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


@pytest.mark.parametrize(
    ("message", "error"),
    [(fail, "RuntimeError: no \N{REPLACEMENT CHARACTER}"), (leave, "SystemExit: 3")],
    ids=["raises", "exits"],
)
def test_an_exception_fails_the_task(message: Task[Any, Any], error: str) -> None:
    task = ran(message)

    assert (task.status, task.error) == (TaskStatus.FAILED, error)


def test_the_soft_time_limit_is_a_timeout() -> None:
    task = ran(take_too_long)

    assert (task.status, task.error) == (TaskStatus.TIMEOUT, "Stopped after 3600 s")


def test_a_result_that_is_not_json_fails_the_task() -> None:
    task = ran(answer_nonsense)

    assert task.status == TaskStatus.FAILED
    assert task.error.startswith("The agent's result is not JSON: ")


def test_the_demo_agent_echoes() -> None:
    assert ran(echo).result == {"received": {"a": 1}, "attempt": 1}


def test_an_event_that_an_agent_emits_names_its_cause() -> None:
    EventType.objects.get_or_create(name="ticket.created")
    make_listener()
    first = record()
    drain()
    task = AgentTask.objects.get()
    submit_tasks([task.id])

    emit_event(str(task.id))

    task.refresh_from_db()
    emitted = Event.objects.get(pk=task.result)
    assert (emitted.cause_id, emitted.depth) == (first.id, 1)
    assert emitted.correlation_id == first.correlation_id
