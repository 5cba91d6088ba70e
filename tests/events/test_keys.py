from __future__ import annotations

from uuid import UUID

import pytest

from common.errors import ServiceUnavailable
from common.ids import uuid7
from events.models import Event, EventKey, EventSource, EventType, Inbox
from events.services.emit import IdempotencyKeyConflict, emit
from events.services.record import KnownEvent, dedupe_key, find_known, record_events
from tests.factories import new_event, record
from tests.webhooks.deliveries import deliver
from webhooks.endpoints.lifecycle import create_endpoint

pytestmark = pytest.mark.django_db

KEY = dedupe_key(EventSource.EMIT, "", "order-1")


def delete(event_id: UUID) -> None:
    """Delete an event as retention does, which keeps its key."""
    Inbox.objects.filter(pk=event_id).delete()
    Event.objects.filter(pk=event_id).delete()


def test_a_key_names_the_event_that_was_recorded_first() -> None:
    first = record(dedupe_key=KEY, body=b"[1]")

    assert record_events([new_event(dedupe_key=KEY)]) == set()

    assert find_known([KEY]) == {
        KEY: KnownEvent(
            event_id=first.id, type="invoice.paid", body=b"[1]", body_size=3
        )
    }


def test_an_event_without_a_key_leaves_no_key() -> None:
    record()

    assert record_events([new_event(), new_event()])
    assert not EventKey.objects.exists()


def test_events_with_a_known_key_are_omitted() -> None:
    record(dedupe_key=KEY)
    known, fresh = new_event(dedupe_key=KEY), new_event(dedupe_key=uuid7())
    without = new_event()

    recorded = record_events([known, fresh, without])

    assert recorded == {fresh.id, without.id}
    assert EventKey.objects.count() == 2
    assert Inbox.objects.count() == 3


def test_a_key_outlives_its_event() -> None:
    first = record(dedupe_key=KEY)
    delete(first.id)

    assert record_events([new_event(dedupe_key=KEY)]) == set()

    known = find_known([KEY])[KEY]
    assert (known.event_id, known.type, known.body) == (first.id, None, None)
    assert known.has_body_like(b"another")


def test_a_deleted_body_is_compared_by_its_size() -> None:
    first = record(dedupe_key=KEY, body=b"[1]")
    Event.objects.filter(pk=first.id).update(body=b"")

    known = find_known([KEY])[KEY]

    assert known.body is None
    assert known.has_body_like(b"[2]")
    assert not known.has_body_like(b"[22]")


def test_a_key_that_expires_during_the_request_asks_for_a_retry() -> None:
    with pytest.raises(ServiceUnavailable) as raised:
        find_known([KEY])

    assert raised.value.code == "key_expired"


def test_a_repeated_emit_names_the_event_that_is_deleted() -> None:
    EventType.objects.get_or_create(name="invoice.paid")
    first = emit("invoice.paid", {"a": 1}, idempotency_key="k")
    delete(first.event_id)

    again = emit("invoice.paid", {"a": 2}, idempotency_key="k")

    assert again.event_id == first.event_id
    assert again.is_duplicate


def test_a_repeated_emit_of_another_type_conflicts_without_the_body() -> None:
    for name in ("invoice.paid", "invoice.sent"):
        EventType.objects.get_or_create(name=name)
    emit("invoice.paid", {"a": 1}, idempotency_key="k")
    Event.objects.update(body=b"")

    with pytest.raises(IdempotencyKeyConflict):
        emit("invoice.sent", {"a": 1}, idempotency_key="k")


def test_a_repeated_delivery_of_a_deleted_event_is_a_duplicate() -> None:
    endpoint = create_endpoint().endpoint
    first = deliver(endpoint, b"[1]", webhook_id="1").json()["event_id"]
    delete(UUID(first))

    answers = [deliver(endpoint, body, webhook_id="1") for body in (b"[1]", b"[2]")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.json()["event_id"] for answer in answers} == {first}
    assert {answer.json()["status"] for answer in answers} == {"duplicate"}
    assert not Event.objects.exists()
