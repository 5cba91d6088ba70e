from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.database.sql import insert_rows
from events.models import Event, EventSource
from events.services.record import record_events
from tests.factories import new_event

pytestmark = pytest.mark.django_db

QUOTED = '{"a": "\\"\\\\ {,} NULL \\u0000 é"}'


def test_text_and_bytes_are_stored_unchanged() -> None:
    event = new_event(
        body=b'\x00\xff"\\{,}',
        request=QUOTED,
        subject='NULL, "a" \\ {b} é',
        options=None,
    )

    record_events([event])

    stored = Event.objects.get(pk=event.id)
    assert bytes(stored.body) == event.body
    assert stored.subject == event.subject
    assert stored.request == {"a": '"\\ {,} NULL \x00 é'}
    assert stored.options is None
    assert stored.source == EventSource.EMIT


def test_the_statement_can_be_shown_for_debugging() -> None:
    with CaptureQueriesContext(connection) as queries:
        record_events([new_event()])

    assert "ON CONFLICT" in queries[0]["sql"]


def test_without_rows_there_is_no_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        insert_rows(Event, ("id",), [])

    assert not queries
