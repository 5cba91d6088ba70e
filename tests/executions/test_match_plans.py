"""With 100,000 other triggers, queries for one trigger use their indexes."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.test.utils import CaptureQueriesContext

from events.models import EventSource
from executions.pipeline.match import find_pairs
from tests.factories import make_listener, make_trigger, record
from triggers.models import Subscription, Trigger, TriggerStats
from triggers.services.claim import claim_due
from triggers.services.due_index import seconds_until_due

pytestmark = pytest.mark.django_db

OTHERS = 100_000
LARGE = (Trigger, Subscription, TriggerStats)
OTHER_ID = "lpad(to_hex(n), 32, '0')::uuid"


def make_others(one: Trigger) -> None:
    """Fill the tables with triggers that are active, due later and subscribed."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no FK checks
        copies(cursor, Trigger, one, id=OTHER_ID, name="'other-' || n", next_run_time=(
            "now() + n * interval '1 second'"
        ))  # fmt: skip
        copies(cursor, TriggerStats, one.stats, trigger_id=OTHER_ID)
        cursor.execute(
            "INSERT INTO triggers_subscription "  # noqa: S608 - our own constants
            "(trigger_id, pattern, subject) "
            f"SELECT {OTHER_ID}, 'kind-' || n || '.*', '' "
            "FROM generate_series(1, %s) n",
            [OTHERS],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
        for model in LARGE:
            cursor.execute(f"ANALYZE {model._meta.db_table}")


def copies(
    cursor: CursorWrapper,
    model: type[Trigger | TriggerStats],
    one: Trigger | TriggerStats,
    **changed: str,
) -> None:
    columns = [str(field.column) for field in model._meta.concrete_fields]
    values = [changed.get(column, f"t.{column}") for column in columns]
    cursor.execute(
        f"INSERT INTO {model._meta.db_table} "  # noqa: S608 - our own names
        f"({', '.join(columns)}) "
        f"SELECT {', '.join(values)} FROM {model._meta.db_table} t, "
        f"generate_series(1, %s) n WHERE t.{model._meta.pk.column} = %s",
        [OTHERS, one.pk],
    )


def plans(queries: CaptureQueriesContext) -> list[str]:
    read = [q["sql"] for q in queries.captured_queries if "triggers_" in q["sql"]]
    found = []
    with connection.cursor() as cursor:
        for sql in read:
            cursor.execute(f"EXPLAIN {sql}")
            found.append("\n".join(row[0] for row in cursor.fetchall()))
    return found


def assert_by_index(found: list[str]) -> None:
    for plan in found:
        for model in LARGE:
            assert f"Seq Scan on {model._meta.db_table}" not in plan


def test_no_query_scans_100_000_triggers() -> None:
    make_others(
        make_trigger(
            trigger_type="cron", schedule_type="cron", cron_expression="0 3 * * *"
        )
    )
    webhook = make_trigger(trigger_type="webhook")
    listeners = [make_listener(event_types=[p]) for p in ("invoice.paid", "*")]
    events = [
        record(),
        record(trigger_id=listeners[0].id),
        record(source=EventSource.WEBHOOK, endpoint_id=webhook.endpoint_id),
        *(record(type=f"kind-{n}.x") for n in range(1, 30)),
    ]

    with CaptureQueriesContext(connection) as matching:
        _, pairs = find_pairs(events)
    with CaptureQueriesContext(connection) as idle:
        assert claim_due() == 0
    with CaptureQueriesContext(connection) as sleepy:
        assert seconds_until_due() is not None
    due_50th = Trigger.objects.order_by("next_run_time")[49].next_run_time
    with CaptureQueriesContext(connection) as busy:
        claim_due(now=due_50th)

    assert {pair.event.id for pair in pairs} == {event.id for event in events}
    assert len(plans(matching)) == 2
    clock = (idle, sleepy, busy)
    assert_by_index(plans(matching) + [p for queries in clock for p in plans(queries)])
    assert all("trigger_due" in plans(queries)[0] for queries in clock)
