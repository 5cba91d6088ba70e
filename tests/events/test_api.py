from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from common.redis import ask_redis
from events.models import Event, Inbox
from tests.factories import record

pytestmark = pytest.mark.django_db

URL = "/api/v1/events"


def test_the_response_to_an_emit_contains_the_events_address(api: APIClient) -> None:
    response = api.post(URL, {"type": "invoice.paid", "payload": {"amount": 3}})

    event = Event.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "event_id": str(event.pk),
        "duplicate": False,
        "type": "invoice.paid",
        "payload": {"amount": 3},
        "subject": "",
        "customer_id": "",
        "timestamp": event.received_at.isoformat().replace("+00:00", "Z"),
        "triggered_workflows": None,
    }
    assert response["Location"] == f"http://testserver{URL}/{event.pk}"
    assert bytes(event.body) == b'{"amount":3}'
    assert Inbox.objects.get().event == event


def test_a_repeated_key_returns_the_same_event(api: APIClient) -> None:
    body = {"type": "invoice.paid", "idempotency_key": "k-1", "subject": "acme"}

    first = api.post(URL, body)
    second = api.post(URL, body)

    assert first.status_code == second.status_code == 201
    assert second.json() == {**first.json(), "duplicate": True}
    assert second.json()["customer_id"] == "acme"
    assert second["Location"] == first["Location"]
    assert Event.objects.count() == 1


def test_the_key_of_another_event_is_a_conflict(api: APIClient) -> None:
    body = {"type": "invoice.paid", "idempotency_key": "k-1"}
    api.post(URL, body)

    response = api.post(URL, {**body, "payload": {"amount": 1}})

    assert response.status_code == 409
    assert response.json()["error_code"] == "idempotency_key_conflict"


def test_an_event_names_its_cause(api: APIClient) -> None:
    cause = record(depth=1)

    sent = api.post(URL, {"type": "invoice.paid", "cause_id": str(cause.pk)}).json()

    event = Event.objects.get(pk=sent["event_id"])
    assert (event.cause_id, event.depth) == (cause.pk, 2)
    assert event.correlation_id == cause.correlation_id


def test_customer_id_is_stored_as_the_subject(api: APIClient) -> None:
    api.post(URL, {"type": "invoice.paid", "customer_id": "acme"})

    assert Event.objects.get().subject == "acme"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"type": "\x00"}, "/type"),
        ({"type": 3}, "/type"),
        ({"payload": "text"}, "/payload"),
        ({"payload": None}, "/payload"),
        ({"idempotency_key": ""}, "/idempotency_key"),
        ({"cause_id": "invoice"}, "/cause_id"),
        ({"cause_id": "01900000-0000-7000-8000-000000000001"}, "/cause_id"),
        ({"subject": "a", "customer_id": "b"}, "/customer_id"),
        ({"sujet": "a"}, "/sujet"),
    ],
)
def test_a_fault_names_its_field(
    api: APIClient, fields: dict[str, Any], pointer: str
) -> None:
    response = api.post(URL, {"type": "invoice.paid", **fields})

    assert response.status_code == 400
    assert [f["pointer"] for f in response.json()["errors"]] == [pointer]
    assert not Event.objects.exists()


def test_an_unknown_type_is_rejected_with_a_suggestion(api: APIClient) -> None:  # R252
    response = api.post(URL, {"type": "invoice.payd"})

    unknown = "Event type 'invoice.payd' is not in the catalogue"
    detail = f"{unknown}; did you mean 'invoice.paid'?"
    assert response.status_code == 400
    assert response.json()["error_code"] == "unsupported_event_type"
    assert response.json()["errors"] == [{"pointer": "/type", "detail": detail}]
    assert not Event.objects.exists()
    assert ask_redis(lambda redis: redis.dbsize(), otherwise=-1) == 0


def test_an_event_shows_its_fields(api: APIClient) -> None:
    endpoint_id = uuid4()
    event = record(
        source="webhook",
        endpoint_id=endpoint_id,
        delivery_id="d-1",
        request='{"method":"POST","query":{"q":"\\u0000\\ud800"}}',
        body=b"<raw>",
        content_type="text/xml",
    )

    shown = api.get(f"{URL}/{event.pk}").json()

    assert shown == {
        "id": str(event.pk),
        "type": "invoice.paid",
        "source": "webhook",
        "subject": "",
        "content_type": "text/xml",
        "body_size": 5,
        "request": {"method": "POST", "query": {"q": "\x00\ud800"}},
        "endpoint_id": str(endpoint_id),
        "trigger_id": None,
        "delivery_id": "d-1",
        "scheduled_for": None,
        "received_at": event.received_at.isoformat().replace("+00:00", "Z"),
        "correlation_id": str(event.correlation_id),
        "cause_id": None,
        "depth": 0,
        "replay_of": None,
        "erased_at": None,
        "read_as": None,
        "warnings": [],
        "executions": [],
        "executions_count": 0,
        "executions_url": f"http://testserver/api/v1/executions?event_id={event.pk}",
    }


def test_the_list_is_newest_first(api: APIClient) -> None:
    older, newer = record(), record()

    page = api.get(URL).json()

    assert [e["id"] for e in page["results"]] == [str(newer.pk), str(older.pk)]
    assert "executions" not in page["results"][0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("type", "quote.sent"),
        ("source", "WEBHOOK"),
        ("endpoint_id", "01900000-0000-7000-8000-000000000001"),
        ("trigger_id", "01900000-0000-7000-8000-000000000002"),
        ("delivery_id", "d-1"),
        ("subject", "acme"),
    ],
)
def test_events_are_filtered(api: APIClient, name: str, value: str) -> None:
    record()
    event = record(**{name: value.lower()})

    page = api.get(URL, {name: value}).json()

    assert [e["id"] for e in page["results"]] == [str(event.pk)]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"start_date": "2020-01-01"}, 1),
        ({"end_date": "2020-01-01"}, 0),
        ({"start_time": "2020-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"}, 1),
    ],
)
def test_events_are_filtered_by_time(
    api: APIClient, query: dict[str, str], count: int
) -> None:
    record()

    assert api.get(URL, query).json()["total_count"] == count


@pytest.mark.parametrize("accept", ["*/*", "application/octet-stream"])
def test_a_body_is_returned_byte_for_byte(api: APIClient, accept: str) -> None:
    body = b"\x00\xff<script>\r\n"
    event = record(body=body, content_type="text/html")

    response = api.get(f"{URL}/{event.pk}/body", HTTP_ACCEPT=accept)

    assert response.status_code == 200
    assert response.content == body
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == f'attachment; filename="{event.pk}.bin"'
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_replay_returns_the_body_of_the_original(api: APIClient) -> None:
    replay = record(body=b"", replay_of=record(body=b"first").pk)

    response = api.get(f"{URL}/{replay.pk}/body")

    assert response.content == b"first"


@pytest.mark.parametrize("accept", ["application/json", "application/octet-stream"])
def test_the_body_of_an_unknown_event_is_404(api: APIClient, accept: str) -> None:
    response = api.get(f"{URL}/{uuid4()}/body", HTTP_ACCEPT=accept)

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["error_code"] == "not_found"


def test_the_catalogue_is_listed(api: APIClient) -> None:  # R369
    page = api.get("/api/v1/event-types").json()

    shown = {t["type"]: t for t in page["results"]}
    assert page["total_count"] == len(shown) >= 30
    assert shown["invoice.overdue"] == {
        "type": "invoice.overdue",
        "name": "Invoice Overdue",
        "description": "Triggered when an invoice becomes overdue",
        "category": "invoices",
        "payload_schema": {
            "invoice_id": "string",
            "days_overdue": "number",
            "amount": "number",
        },
    }
    assert shown["quote.sent"] == {
        "type": "quote.sent",
        "name": "quote.sent",
        "description": "",
        "category": "other",
        "payload_schema": {},
    }


def test_the_catalogue_is_filtered_by_category(api: APIClient) -> None:
    page = api.get("/api/v1/event-types", {"category": "tickets"}).json()

    assert [t["type"] for t in page["results"]] == [
        "ticket.created",
        "ticket.escalated",
    ]


@pytest.mark.parametrize(
    ("name", "status"),
    [("invoice.paid", 200), ("no.such", 404), ("%00", 404), ("%0A", 404)],
)
def test_one_event_type_is_shown(api: APIClient, name: str, status: int) -> None:
    assert api.get(f"/api/v1/event-types/{name}").status_code == status


@pytest.mark.parametrize("path", [URL, "/api/v1/event-types"])
def test_a_list_costs_two_queries(
    api: APIClient, django_assert_num_queries: Any, path: str
) -> None:
    for _ in range(5):
        record()

    with django_assert_num_queries(2):
        assert api.get(path).status_code == 200
