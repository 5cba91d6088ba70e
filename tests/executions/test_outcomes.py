"""How a run ended is the same in Python and in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from agents.models import AgentTask, TaskStatus
from common.ids import uuid7
from executions.models import FAILED_STATUSES, ExecutionStatus, TriggerExecution
from executions.services.outcomes import (
    FAILURES,
    RunOutcome,
    has_outcome,
    outcome_expression,
    run_outcome,
)
from tests.executions.flow import deliver_event, finish, under_way
from tests.factories import make_agent, make_listener, make_trigger
from triggers.models import Trigger

TASK_STATUSES = (*TaskStatus, None)
OTHERS = 20_000
OWN = 20
# Of a success; any other status of the execution decides alone.
BY_TASK = {
    None: "succeeded",
    "pending": "waiting",
    "submitted": "waiting",
    "running": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "timeout": "timeout",
    "cancelled": "cancelled",
}
BY_EXECUTION = {
    "pending": "waiting",
    "running": "running",
    "failed": "failed",
    "timeout": "timeout",
    "skipped": "skipped",
    "cancelled": "cancelled",
}


ID = "lpad(to_hex(n), 32, '0')::uuid"
TASKS = f"""
INSERT INTO agents_agenttask (id, agent_id, idempotency_key, status, task_type, title,
    parameters, metadata, error, external_id, workflow_id, run_id, attempt,
    publications, created_at)
SELECT {ID}, %s, {ID}, 'succeeded', '', '', '{{}}', '{{}}', '', '', '', '', 1, 1, now()
FROM generate_series(1, %s) n
"""  # noqa: S608 - our own names
EXECUTIONS = f"""
INSERT INTO executions_triggerexecution (id, trigger_id, event_id, task_id, status,
    reason, executed_at, attempt, error_type, error_message, worker, workflow_id,
    run_id, trigger_version)
SELECT {ID}, %s, {ID}, {ID}, 'success', '', now(), 1, '', '', '', '', '', 1
FROM generate_series(1, %s) n
"""  # noqa: S608 - our own names


def make_history(trigger: Trigger) -> None:
    """Give a trigger many runs whose tasks succeeded."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no FK checks
        cursor.execute(TASKS, [trigger.agent_id, OTHERS])
        cursor.execute(EXECUTIONS, [trigger.pk, OTHERS])
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute("ANALYZE agents_agenttask, executions_triggerexecution")


def make_runs(trigger: Trigger, statuses: Sequence[tuple[str, str | None]]) -> None:
    """Store an execution for each pair of its status and that of its task."""
    now, agent = timezone.now(), make_agent()
    executions = [
        TriggerExecution(
            trigger=trigger,
            event_id=uuid7(),
            status=status,
            executed_at=now,
            trigger_version=1,
            task=None
            if task_status is None
            else AgentTask(
                agent=agent,
                status=task_status,
                idempotency_key=uuid7(),
                created_at=now,
            ),
        )
        for status, task_status in statuses
    ]
    AgentTask.objects.bulk_create(e.task for e in executions if e.task)
    TriggerExecution.objects.bulk_create(executions)


@pytest.mark.parametrize("task_status", TASK_STATUSES)
def test_the_task_decides_how_a_success_ended(task_status: TaskStatus | None) -> None:
    assert run_outcome("success", task_status) == BY_TASK[task_status]


@pytest.mark.parametrize("status", BY_EXECUTION)
def test_any_other_execution_decides_alone(status: str) -> None:
    found = {run_outcome(status, task_status) for task_status in TASK_STATUSES}

    assert found == {BY_EXECUTION[status]}


def test_the_index_of_failures_holds_the_executions_that_failed() -> None:
    assert {run_outcome(status, None) for status in FAILED_STATUSES} == set(FAILURES)


@pytest.mark.django_db
def test_sql_gives_the_same_outcome_for_all_combinations() -> None:
    combinations = list(product(ExecutionStatus, TASK_STATUSES))
    make_runs(make_trigger(), combinations)

    rows = TriggerExecution.objects.annotate(outcome=outcome_expression())
    found = list(rows.values_list("status", "task__status", "outcome"))

    assert len(found) == len(combinations) == 56
    for status, task_status, outcome in found:
        assert outcome == run_outcome(status, task_status), (status, task_status)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wanted", [*((outcome,) for outcome in RunOutcome), FAILURES, tuple(RunOutcome)]
)
def test_the_filter_selects_exactly_the_runs_with_an_outcome(
    wanted: tuple[RunOutcome, ...],
) -> None:
    combinations = list(product(ExecutionStatus, TASK_STATUSES))
    make_runs(make_trigger(), combinations)
    expected = {pair for pair in combinations if run_outcome(*pair) in wanted}

    statuses = TriggerExecution.objects.values_list("status", "task__status")

    assert expected
    assert set(statuses.filter(has_outcome(*wanted))) == expected
    assert set(statuses.exclude(has_outcome(*wanted))) == {*combinations} - expected


@pytest.mark.django_db
def test_outcomes_can_be_counted() -> None:
    make_runs(
        make_trigger(),
        [("success", "failed"), ("failed", None), ("success", None), ("skipped", None)],
    )

    rows = TriggerExecution.objects.annotate(outcome=outcome_expression())
    counted = rows.order_by().values_list("outcome").annotate(Count("pk"))

    assert dict(counted) == {"failed": 2, "succeeded": 1, "skipped": 1}


@pytest.mark.django_db
def test_a_run_is_waiting_until_its_task_has_ended() -> None:
    trigger = make_listener(overlap="buffer_one")
    deliver_event(trigger)
    rows = TriggerExecution.objects.annotate(outcome=outcome_expression())
    assert [row.outcome for row in rows] == [RunOutcome.WAITING]

    finish(under_way(trigger)[0], TaskStatus.FAILED)

    [row] = rows.all()
    assert (row.status, row.outcome) == ("success", RunOutcome.FAILED)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("outcome", "task_status"), [("failed", "failed"), ("waiting", "submitted")]
)
def test_the_runs_of_a_trigger_are_found_by_an_index(
    api: APIClient, outcome: str, task_status: str
) -> None:
    own = make_trigger()
    make_runs(own, [("success", "succeeded")] * OWN + [("success", task_status)] * 2)
    make_history(make_trigger())
    url = f"/api/v1/triggers/{own.pk}/executions"

    with CaptureQueriesContext(connection) as queries:
        page = api.get(url, {"outcome": outcome}).json()

    assert page["total_count"] == 2
    plans = explain(queries)
    assert len(plans) == 2
    for plan in plans:
        assert "Seq Scan on executions_triggerexecution" not in plan
        assert "Seq Scan on agents_agenttask" not in plan


def explain(queries: CaptureQueriesContext) -> list[str]:
    """Return the plans of the queries that read executions."""
    plans = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            if "triggerexecution" in query["sql"]:
                cursor.execute(f"EXPLAIN {query['sql']}")
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
    return plans
