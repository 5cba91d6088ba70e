"""With many events, executions and tasks the purge uses its indexes."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from agents.models import AgentTask
from events.models import Event
from executions.models import ExecutionTrace, Retention, TriggerExecution
from executions.services.retention import rows
from executions.services.retention.batch import Step, bound_statements
from executions.services.retention.events import (
    ExpiredEvents,
    OldBodies,
    OrphanedExecutions,
)
from executions.services.retention.state import read_ages
from tests.factories import make_listener

pytestmark = pytest.mark.django_db

COUNT = 20_000
FILL = (
    """INSERT INTO events_event (id, type, source, subject, body, body_size,
        content_type, delivery_id, depth, received_at, correlation_id)
    SELECT ID_, 'invoice.paid', 'emit', '', 'x', 1, '', '', 0, '2020-01-01', ID_
    FROM generate_series(1, %(count)s) n""",
    """INSERT INTO agents_agenttask (id, agent_id, task_type, title, parameters,
        metadata, status, error, external_id, workflow_id, run_id, idempotency_key,
        attempt, publications, created_at)
    SELECT ID_, %(agent)s, '', '', '{}', '{}', 'succeeded', '', '', '', '', ID_,
        1, 0, '2020-01-01' FROM generate_series(1, %(count)s) n""",
    """INSERT INTO executions_triggerexecution (id, trigger_id, event_id, task_id,
        status, reason, executed_at, attempt, error_type, error_message, worker,
        workflow_id, run_id, trigger_version)
    SELECT ID_, %(trigger)s, ID_, ID_, 'success', '', '2020-01-01', 1, '', '', '',
        '', '', 1 FROM generate_series(1, %(count)s) n""",
    """INSERT INTO executions_executiontrace (execution_id, trace)
    SELECT ID_, '{}' FROM generate_series(1, %(count)s) n""",
)
LARGE = (Event, AgentTask, TriggerExecution, ExecutionTrace)


def fill() -> None:
    trigger = make_listener()
    values: dict[str, Any] = {
        "count": COUNT,
        "agent": trigger.agent_id,
        "trigger": trigger.pk,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no FK checks
        for sql in FILL:
            cursor.execute(sql.replace("ID_", "lpad(to_hex(n), 32, '0')::uuid"), values)
        cursor.execute("SET LOCAL session_replication_role = origin")
        for model in LARGE:
            cursor.execute(f"ANALYZE {model._meta.db_table}")


def plans(queries: CaptureQueriesContext) -> str:
    found = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            if "set_config" not in query["sql"] and "SAVEPOINT" not in query["sql"]:
                cursor.execute(f"EXPLAIN {query['sql']}")
                found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def test_no_batch_scans_a_table(settings: Settings) -> None:
    settings.HISTORY_RETENTION_DAYS = 90
    fill()
    now = timezone.now()
    ages = read_ages(now)
    assert ages.history is not None
    steps: tuple[Step, ...] = (
        rows.old_traces(now, ages),
        OldBodies(now, ages, Retention()),
        ExpiredEvents(ages),
        OrphanedExecutions(ages),
        rows.orphaned_tasks(now, ages),
    )

    for step in steps:
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            bound_statements()
            done = step.batch(step.first, is_dry=False)
        plan = plans(queries)
        assert done.last is not None
        for model in LARGE:
            assert f"Seq Scan on {model._meta.db_table}" not in plan, plan
        for name in ("agent_task_to_submit", "execution_open"):
            assert name not in plan
