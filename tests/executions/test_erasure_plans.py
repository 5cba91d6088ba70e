"""Among 50,000 events of other subjects, an erasure finds its own by indexes."""

from __future__ import annotations

import pytest
from django.db import connection
from django_celery_results.models import TaskResult

from access.erasure import erase_subject
from agents.models import AgentTask
from events.models import Event
from executions.models import ExecutionTrace, TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import make_listener, record
from tests.webhooks.received import accept, make_endpoint, reject
from triggers.models import Trigger
from webhooks.models import Rejection, WebhookEndpoint

pytestmark = pytest.mark.django_db

EVENTS = 50_000
OTHERS = 20_000
LARGE = (Event, AgentTask, TriggerExecution, ExecutionTrace, TaskResult, Rejection)
ID = "lpad(to_hex(n), 32, '0')::uuid"


def make_others(trigger: Trigger, endpoint: WebhookEndpoint) -> None:
    """Copy a row of each table many times, for another subject."""
    event = accept(endpoint)
    record(subject="other")
    drain()
    reject(endpoint)
    [execution] = TriggerExecution.objects.filter(trigger=trigger)
    ExecutionTrace.objects.create(execution=execution, trace={"met": True})
    result = TaskResult.objects.create(task_id=str(execution.task_id))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no FK checks
    copies(event, id=ID, subject="'other'")
    copies(AgentTask.objects.get(), id=ID, idempotency_key=ID)
    copies(execution, id=ID, event_id=ID, task_id=ID)
    copies(ExecutionTrace.objects.get(), execution_id=ID)
    copies(result, id="1000000 + n", task_id="'other-' || n")
    copies(Rejection.objects.get(), id=ID)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = origin")
        for model in LARGE:
            cursor.execute(f"ANALYZE {model._meta.db_table}")


def copies(
    row: Event | AgentTask | TriggerExecution | ExecutionTrace | TaskResult | Rejection,
    **changed: str,
) -> None:
    meta = row._meta
    assert meta.pk is not None
    columns = [str(field.column) for field in meta.concrete_fields]
    values = [changed.get(column, f"t.{column}") for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {meta.db_table} ({', '.join(columns)}) "  # noqa: S608 - our own
            f"SELECT {', '.join(values)} FROM {meta.db_table} t, "
            f"generate_series(1, %s) n WHERE t.{meta.pk.column} = %s",
            [EVENTS if isinstance(row, Event) else OTHERS, row.pk],
        )


def rows_read() -> dict[str, int]:
    """Return how many rows of each large table this transaction has read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, seq_tup_read + idx_tup_fetch "
            "FROM pg_stat_xact_user_tables WHERE relname = ANY(%s)",
            [[model._meta.db_table for model in LARGE]],
        )
        return dict(cursor.fetchall())


def test_an_erasure_reads_only_rows_of_its_subject() -> None:
    make_others(make_listener(subject="other"), make_endpoint(subject="other"))
    endpoint, listener = make_endpoint(subject="acme"), make_listener(subject="acme")
    accept(endpoint)
    reject(endpoint)
    for _ in range(300):
        record(subject="acme")
    drain()
    record(subject="acme")
    before = rows_read()

    counted = erase_subject("acme", is_dry=True)
    found = erase_subject("acme")

    read = {table: rows - before[table] for table, rows in rows_read().items()}
    assert max(read.values()) < 10_000, read
    assert counted.erased == found.erased
    assert found.erased["events"] == 302
    assert found.erased["tasks"] == 300
    assert TriggerExecution.objects.filter(trigger=listener).count() == 301
