"""With 100,000 ended runs and few open ones, flow control uses its indexes."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from agents.models import AgentTask, TaskStatus
from agents.services.run import busy_keys
from executions.models import TriggerExecution
from executions.pipeline.admit import count_waiting, find_earlier
from executions.services.callbacks import tasks_finished
from executions.services.waiting import start_unblocked
from tests.executions.flow import deliver_event, under_way
from tests.factories import make_listener
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

ENDED = 100_000
OTHER_ID = "lpad(to_hex(n), 32, '0')::uuid"
LARGE = (AgentTask, TriggerExecution)


def make_history(trigger: Trigger) -> None:
    """Give the trigger a long history of runs that have ended."""
    execution = TriggerExecution.objects.filter(trigger=trigger).earliest("event_id")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no FK checks
        copies(cursor, execution.task, id=OTHER_ID, idempotency_key=OTHER_ID, status=(
            "'succeeded'"
        ))  # fmt: skip
        copies(cursor, execution, id=OTHER_ID, event_id=OTHER_ID, task_id=OTHER_ID)
        cursor.execute("SET LOCAL session_replication_role = origin")
        for model in LARGE:
            cursor.execute(f"ANALYZE {model._meta.db_table}")


def copies(cursor: CursorWrapper, one: Model | None, **changed: str) -> None:
    assert one is not None
    table = one._meta.db_table
    columns = [str(field.column) for field in one._meta.concrete_fields]
    values = [changed.get(column, f"t.{column}") for column in columns]
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - our own names
        f"SELECT {', '.join(values)} FROM {table} t, generate_series(1, %s) n "
        "WHERE t.id = %s",
        [ENDED, one.pk],
    )


def plans(queries: CaptureQueriesContext) -> list[str]:
    found = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            if "agenttask" in query["sql"] or "triggerexecution" in query["sql"]:
                cursor.execute(f"EXPLAIN {query['sql']}")
                found.append("\n".join(row[0] for row in cursor.fetchall()))
    return found


def test_no_query_scans_100_000_ended_runs() -> None:
    trigger = make_listener(overlap="buffer_all")
    for _ in range(3):
        deliver_event(trigger)
    make_history(trigger)
    task_id = under_way(trigger)[0].id

    with CaptureQueriesContext(connection) as busy:
        assert busy_keys([trigger.id]) == {trigger.id}
    with CaptureQueriesContext(connection) as waiting:
        assert count_waiting([trigger.id]) == {trigger.id: 2}
    with CaptureQueriesContext(connection) as earlier:
        assert len(find_earlier([trigger.id])[trigger.id]) == 3
    with CaptureQueriesContext(connection) as finished:
        tasks_finished(task_ids=[task_id], status=TaskStatus.SUCCEEDED)
    AgentTask.objects.filter(pk=task_id).update(status=TaskStatus.SUCCEEDED)
    with CaptureQueriesContext(connection) as sweep:
        assert start_unblocked() == 1

    assert "agent_task_busy" in plans(busy)[0]
    assert "execution_waits_for_its_turn" in plans(waiting)[0]
    assert "execution_waits_for_its_turn" in plans(sweep)[0]
    for queries in (busy, waiting, earlier, finished, sweep):
        for plan in plans(queries):
            for model in LARGE:
                assert f"Seq Scan on {model._meta.db_table}" not in plan
