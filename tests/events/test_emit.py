from __future__ import annotations

from functools import partial

import pytest

from common.correlation import Cause, emit_because_of
from common.errors import InvalidInput
from common.ids import uuid7
from events.models import Event, EventSource, EventType, Inbox
from events.services.emit import IdempotencyKeyConflict, UnknownEventType, emit
from executions.models import Reason, TriggerExecution
from executions.pipeline.drain import drain
from executions.pipeline.match import MAX_DEPTH
from tests.factories import make_listener, record
from tests.races import ROUNDS, race

NEVER = {"field": "body.n", "operator": "gt", "value": 5}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _catalogue() -> None:
    for name in ("invoice.paid", "invoice.sent"):
        EventType.objects.get_or_create(name=name)


def test_an_emitted_event_is_recorded_and_queued() -> None:
    emitted = emit("invoice.paid", {"amount": 1}, subject="acme")

    event = Event.objects.get()
    assert emitted.event_id == event.id
    assert not emitted.is_duplicate
    assert (event.type, event.source, event.subject) == (
        "invoice.paid",
        EventSource.EMIT,
        "acme",
    )
    assert bytes(event.body) == b'{"amount":1}'
    assert Inbox.objects.get().event_id == event.id


def test_one_idempotency_key_in_eight_threads_is_one_event() -> None:
    for round_number in range(ROUNDS):
        key = f"order-{round_number}"

        emitted = race(
            partial(emit, "invoice.paid", {}, subject="a", idempotency_key=key)
        )

        assert len({e.event_id for e in emitted}) == 1
        assert sum(not e.is_duplicate for e in emitted) == 1
    assert Event.objects.count() == ROUNDS


def test_an_idempotency_key_belongs_to_its_subject() -> None:
    first = emit("invoice.paid", {}, subject="a", idempotency_key="1")
    second = emit("invoice.paid", {}, subject="b", idempotency_key="1")

    assert first.event_id != second.event_id
    assert not second.is_duplicate


def test_an_unknown_type_is_rejected_with_a_suggestion() -> None:
    with pytest.raises(UnknownEventType) as raised:
        emit("invoice.payed", {})

    assert raised.value.faults[0].pointer == "/type"
    assert "did you mean 'invoice.paid'?" in raised.value.detail
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "name", ["", "\x00", "\ud800", "a" * 10_000, "invoice.paid\x00"]
)
def test_any_unknown_text_is_rejected_as_a_type(name: str) -> None:
    with pytest.raises(UnknownEventType):
        emit(name, {})


@pytest.mark.parametrize("subject", ["\x00", "\ud800", "s" * 256])
def test_a_subject_that_cannot_be_stored_is_rejected(subject: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        emit("invoice.paid", {}, subject=subject)

    assert raised.value.faults[0].pointer == "/subject"
    assert not Event.objects.exists()


def test_any_idempotency_key_can_be_stored() -> None:
    key = "\x00\ud800" * 5000

    first = emit("invoice.paid", {}, idempotency_key=key)
    second = emit("invoice.paid", {}, idempotency_key=key)

    assert second.event_id == first.event_id
    assert second.is_duplicate


def test_a_payload_keeps_any_json_value() -> None:
    emit("invoice.paid", {"a": 2**70, "b": "\x00\ud800"})

    body = bytes(Event.objects.get().body)
    assert body == b'{"a":1180591620717411303424,"b":"\\u0000\\ud800"}'


def test_an_event_caused_by_another_is_one_step_deeper() -> None:
    cause = record(depth=3)

    emitted = emit("invoice.sent", {}, cause_id=cause.id)

    event = Event.objects.get(pk=emitted.event_id)
    assert (event.cause_id, event.depth) == (cause.id, 4)
    assert event.correlation_id == cause.correlation_id


def test_an_event_emitted_within_a_cause_is_one_step_deeper() -> None:
    cause = Cause(event_id=uuid7(), depth=2, correlation_id=uuid7())

    with emit_because_of(cause):
        inside = emit("invoice.sent", {})
    outside = emit("invoice.sent", {})

    event = Event.objects.get(pk=inside.event_id)
    assert (event.cause_id, event.depth) == (cause.event_id, 3)
    assert event.correlation_id == cause.correlation_id
    assert Event.objects.get(pk=outside.event_id).depth == 0


def test_an_explicit_cause_overrides_the_surrounding_one() -> None:
    around = Cause(event_id=uuid7(), depth=2, correlation_id=uuid7())
    named = record(depth=7)

    with emit_because_of(around):
        emitted = emit("invoice.sent", {}, cause_id=named.id)

    event = Event.objects.get(pk=emitted.event_id)
    assert (event.cause_id, event.depth) == (named.id, 8)


def test_an_unknown_cause_is_rejected() -> None:
    with pytest.raises(InvalidInput) as raised:
        emit("invoice.sent", {}, cause_id=uuid7())

    assert [fault.pointer for fault in raised.value.faults] == ["/cause_id"]
    assert not Event.objects.exists()


def test_an_endless_chain_of_events_is_stopped() -> None:
    make_listener()
    emitted = emit("invoice.sent", {}, cause_id=record(depth=MAX_DEPTH).id)

    drain()

    execution = TriggerExecution.objects.get(event_id=emitted.event_id)
    assert (execution.status, execution.reason) == ("skipped", Reason.LOOP)


@pytest.mark.parametrize(
    ("name", "payload"), [("invoice.sent", {"a": 1}), ("invoice.paid", {"a": 2})]
)
def test_an_idempotency_key_belongs_to_one_type_and_payload(
    name: str, payload: dict[str, int]
) -> None:
    emit("invoice.paid", {"a": 1}, idempotency_key="k")

    with pytest.raises(IdempotencyKeyConflict):
        emit(name, payload, idempotency_key="k")

    assert Event.objects.count() == 1


def test_the_order_of_a_payloads_members_does_not_matter() -> None:
    emit("invoice.paid", {"a": 1, "b": 2}, idempotency_key="k")

    assert emit("invoice.paid", {"b": 2, "a": 1}, idempotency_key="k").is_duplicate


def test_an_emit_returns_the_recorded_event() -> None:
    emitted = emit("invoice.paid", {"amount": 3}, subject="acme")

    event = Event.objects.get()
    assert (emitted.type, emitted.payload) == ("invoice.paid", {"amount": 3})
    assert (emitted.subject, emitted.customer_id) == ("acme", "acme")
    assert emitted.timestamp == event.received_at
    assert emitted.triggered_workflows is None


def test_a_repeated_emit_returns_how_many_tasks_came_of_the_first() -> None:
    make_listener(name="a")
    make_listener(name="b")
    make_listener(name="c", event_types=["customer.*"])
    make_listener(name="d", conditions={"type": "rule", "rules": [NEVER]})
    emit("invoice.paid", {"n": 1}, idempotency_key="k")
    waiting = emit("invoice.paid", {"n": 1}, idempotency_key="k")
    drain()

    done = emit("invoice.paid", {"n": 1}, idempotency_key="k")

    assert (waiting.triggered_workflows, done.triggered_workflows) == (None, 2)
    assert done.timestamp == Event.objects.get().received_at


def test_a_repeated_emit_of_a_deleted_event_has_no_time() -> None:
    first = emit("invoice.paid", {}, idempotency_key="k")
    Inbox.objects.all().delete()
    Event.objects.all().delete()

    again = emit("invoice.paid", {}, idempotency_key="k")

    assert (again.event_id, again.is_duplicate) == (first.event_id, True)
    assert (again.timestamp, again.triggered_workflows) == (None, None)
