"""With 100,000 events of a trigger, the ledger and the status use their indexes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.models import Event
from executions.models import TriggerExecution
from executions.services.ledger import read_ledger
from executions.services.status import read_status
from tests.triggers.due_triggers import NOON, make_due
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

EVENTS = 100_000

_EVENTS = """
INSERT INTO events_event (id, type, source, subject, body, body_size, content_type,
    delivery_id, depth, trigger_id, scheduled_for, received_at, correlation_id)
SELECT lpad(to_hex(n), 32, '0')::uuid,
    CASE n %% 50 WHEN 0 THEN 'schedule.missed' ELSE 'schedule.due' END,
    'schedule', '', '{"from": "2020-01-01T00:00:00Z", "to": "2020-01-01T00:00:00Z"}',
    0, '', '', 0, %(trigger)s::uuid,
    CASE n %% 50 WHEN 0 THEN NULL ELSE %(noon)s::timestamptz - n * interval '1 min' END,
    %(noon)s::timestamptz - n * interval '1 min', gen_random_uuid()
FROM generate_series(1, %(count)s) n
"""

_EXECUTIONS = """
INSERT INTO executions_triggerexecution (id, trigger_id, event_id, status, reason,
    executed_at, attempt, error_type, error_message, worker, workflow_id, run_id,
    trigger_version)
SELECT id, trigger_id, id, 'success', '', received_at, 1, '', '', '', '', '', 1
FROM events_event
"""


def make_past(trigger: Trigger) -> None:
    """Give a trigger events and executions of many minutes before noon."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {
            "trigger": str(trigger.pk),
            "noon": NOON,
            "count": EVENTS,
        }
        cursor.execute(_EVENTS, values)
        cursor.execute(_EXECUTIONS)
        for model in (Event, TriggerExecution):
            cursor.execute(f"ANALYZE {model._meta.db_table}")


def plans(queries: CaptureQueriesContext) -> str:
    found = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            if query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN {query['sql']}")
                found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def test_no_query_scans_the_history_of_a_trigger() -> None:
    trigger = make_due()
    make_past(trigger)

    with CaptureQueriesContext(connection) as queries:
        read_ledger(trigger_id=trigger.pk, since=NOON - timedelta(days=1), until=NOON)
        read_status(trigger_id=trigger.pk)

    read = plans(queries)
    for name in ("event_scheduled", "event_missed", "execution_failed"):
        assert name in read, read
    for model in (Event, TriggerExecution):
        assert f"Seq Scan on {model._meta.db_table}" not in read
