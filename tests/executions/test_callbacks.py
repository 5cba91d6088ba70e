from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import AgentTask, TaskStatus
from agents.services.run import claim_task, finish_task
from executions.models import ExecutionStatus, TriggerExecution
from executions.pipeline.drain import drain
from executions.services.callbacks import find_final_executions
from tests.factories import make_listener, record
from triggers.models import Trigger, TriggerStats

pytestmark = pytest.mark.django_db


def finish_next(trigger: Trigger, status: TaskStatus) -> None:
    """Process an event of the trigger, and end its task with a status."""
    record()
    drain()
    submitted = AgentTask.objects.get(
        execution__trigger=trigger, status=TaskStatus.SUBMITTED
    )
    task = claim_task(task_id=submitted.id)
    assert task is not None
    finish_task(task=task, status=status)


def failures_of(trigger: Trigger) -> int:
    return TriggerStats.objects.get(pk=trigger.pk).consecutive_failures


@pytest.mark.parametrize(
    ("status", "failures"),
    [
        (TaskStatus.FAILED, 2),
        (TaskStatus.TIMEOUT, 2),
        (TaskStatus.CANCELLED, 1),
        (TaskStatus.SUCCEEDED, 0),
    ],
)
def test_the_result_of_a_task_counts_for_its_trigger(
    status: TaskStatus, failures: int
) -> None:
    trigger = make_listener()
    finish_next(trigger, TaskStatus.FAILED)

    finish_next(trigger, status)

    assert failures_of(trigger) == failures


def test_failing_tasks_disable_their_trigger() -> None:
    trigger = make_listener(failure_threshold=2)

    finish_next(trigger, TaskStatus.FAILED)
    finish_next(trigger, TaskStatus.FAILED)

    trigger.refresh_from_db()
    assert not trigger.is_active


def test_failing_tasks_do_not_count_if_the_trigger_says_so() -> None:
    trigger = make_listener(failure_threshold=1, count_task_failures=False)

    finish_next(trigger, TaskStatus.FAILED)

    trigger.refresh_from_db()
    assert trigger.is_active
    assert failures_of(trigger) == 0


@pytest.mark.django_db(transaction=True)
def test_a_success_takes_one_update_and_one_query() -> None:
    make_listener()
    record()
    drain()
    task = claim_task(task_id=AgentTask.objects.get().id)
    assert task is not None

    with CaptureQueriesContext(connection) as queries:
        finish_task(task=task, status=TaskStatus.SUCCEEDED, result=1)

    words = [query["sql"].split()[0] for query in queries.captured_queries]
    assert words == ["BEGIN", "UPDATE", "SELECT", "COMMIT"]


def test_an_event_in_the_inbox_has_no_final_executions() -> None:
    event = record()

    assert find_final_executions(event.id) is None


def test_an_event_without_triggers_has_an_empty_list() -> None:
    event = record()
    drain()

    assert find_final_executions(event.id) == []


def test_final_executions_are_ids_and_statuses() -> None:
    make_listener()
    event = record()
    drain()

    execution = TriggerExecution.objects.get()
    assert find_final_executions(event.id) == [
        {
            "execution_id": str(execution.id),
            "trigger_id": str(execution.trigger_id),
            "status": "success",
            "reason": "",
            "task_id": str(execution.task_id),
        }
    ]


@pytest.mark.parametrize("status", [ExecutionStatus.PENDING, ExecutionStatus.RUNNING])
def test_an_open_execution_is_not_final(status: str) -> None:
    make_listener()
    event = record()
    drain()
    TriggerExecution.objects.update(status=status)

    assert find_final_executions(event.id) is None
