from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from common.fields import dump_json
from events.models import EventSource
from tests.factories import make_created, record
from tests.webhooks.received import (
    URL,
    accept,
    make_endpoint,
    reject,
    repeat,
    visitor,
)
from webhooks.deliveries import views
from webhooks.deliveries.views import DeliveryFilter
from webhooks.models import Delivery, WebhookEndpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return make_endpoint()


def listed(api: APIClient, **query: Any) -> list[str]:
    response = api.get(URL, query)
    assert response.status_code == 200, response.json()
    return [row["id"] for row in response.json()["results"]]


def test_deliveries_are_listed_newest_first(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint, X_Delivery_Id="d-1")
    rejection, duplicate = reject(endpoint), repeat(event, endpoint)

    page = api.get(URL).json()

    rows = page["results"]
    assert [row["id"] for row in rows] == [
        str(duplicate.pk), str(rejection.pk), str(event.pk),
    ]  # fmt: skip
    assert [(row["outcome"], row["cause"], row["status"]) for row in rows] == [
        ("duplicate", "duplicate", 200),
        ("rejected", "invalid_signature", 401),
        ("accepted", None, 200),
    ]
    assert rows[0]["event_id"] == rows[2]["event_id"] == str(event.pk)
    assert (rows[2]["method"], rows[2]["delivery_id"]) == ("POST", "d-1")
    assert (page["total_count"], page["at_least"]) == (3, False)


def test_events_of_other_sources_are_no_deliveries(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    event = record(source=EventSource.EMIT)

    assert listed(api) == []
    assert api.get(f"{URL}/{event.pk}").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"outcome": "Accepted"}, ["event"]),
        ({"outcome": "duplicate"}, ["duplicate"]),
        ({"outcome": "rejected"}, ["rejection"]),
        ({"cause": "invalid_signature"}, ["rejection"]),
        ({"delivery_id": "d-1"}, ["duplicate", "event"]),
        ({"event_type": "generic.received"}, ["event"]),
        ({"redelivery": "true"}, []),
    ],
)
def test_a_filter_keeps_the_matching_deliveries(
    api: APIClient, endpoint: WebhookEndpoint, query: dict[str, str], found: list[str]
) -> None:
    event = accept(endpoint, X_Delivery_Id="d-1")
    ids = {
        "event": event.pk,
        "rejection": reject(endpoint).pk,
        "duplicate": repeat(event, endpoint).pk,
    }

    assert listed(api, **query) == [str(ids[name]) for name in found]


def test_deliveries_are_found_by_endpoint_and_by_its_trigger(api: APIClient) -> None:
    trigger = make_created(trigger_type="webhook", webhook={}).trigger
    assert trigger.endpoint is not None
    accept(make_endpoint())
    event = accept(trigger.endpoint)

    assert listed(api, endpoint_id=trigger.endpoint_id) == [str(event.pk)]
    assert listed(api, trigger_id=trigger.pk) == [str(event.pk)]
    assert listed(api, trigger_id=uuid4()) == []


def test_dates_limit_the_list(api: APIClient, endpoint: WebhookEndpoint) -> None:
    event, before = accept(endpoint), timezone.now() - timedelta(minutes=5)
    after = timezone.now() + timedelta(minutes=5)

    assert listed(api, start_date=before, end_date=after) == [str(event.pk)]
    assert listed(api, start_date=after) == listed(api, end_date=before) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outcome", "lost"),
        ("endpoint_id", "x"),
        ("start_date", "yesterday"),
        ("cause", "\x00"),
        ("page_size", "0"),
    ],
)
def test_an_invalid_filter_is_rejected_by_name(
    api: APIClient, name: str, value: str
) -> None:
    response = api.get(URL, {name: value})

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == f"/{name}"


def test_a_long_list_needs_no_more_queries(
    api: APIClient, endpoint: WebhookEndpoint, django_assert_num_queries: Any
) -> None:
    for _ in range(5):
        accept(endpoint)
        reject(endpoint)

    with django_assert_num_queries(3):
        assert len(listed(api)) == 10


@pytest.mark.parametrize("query", [{}, {"outcome": "accepted"}, {"endpoint_id": True}])
def test_a_page_is_read_from_two_indexes(
    endpoint: WebhookEndpoint, query: dict[str, Any]
) -> None:
    if "endpoint_id" in query:
        query = {"endpoint_id": str(endpoint.pk)}
    rows = DeliveryFilter(query, queryset=Delivery.objects.order_by("-id")).qs

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")
    plan = rows[:50].explain()

    assert "Merge Append" in plan
    assert "Sort  (" not in plan


def test_the_count_of_a_long_list_is_limited(
    api: APIClient, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_COUNTED", 3)
    for _ in range(5):
        reject(endpoint)

    page = api.get(URL, {"page_size": 2}).json()

    assert (page["total_count"], page["at_least"], page["has_next"]) == (3, True, True)


def test_the_detail_of_an_accepted_delivery(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    event = accept(endpoint, b'{"b": 2}', query="?q=1", Authorization="Bearer abc")

    found = api.get(f"{URL}/{event.pk}").json()

    assert found["request"]["method"] == "POST"
    assert found["request"]["query"] == {"q": "1"}
    assert "authorization" not in found["request"]["headers"]
    assert found["body"] == {
        "size": 8,
        "content_type": "application/json",
        "truncated": False,
        "url": f"http://testserver{URL}/{event.pk}/body",
    }
    assert found["answer"] == {"status": 200, "cause": None, "detail": ""}
    assert found["executions_url"].endswith(f"/api/v1/executions?event_id={event.pk}")
    assert (found["how_to_fix"], found["redelivered_as"]) == ("", [])


def test_the_detail_of_a_rejected_delivery_suggests_a_fix(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    rejection = reject(endpoint, body=b"hel", body_size=5)

    found = api.get(f"{URL}/{rejection.pk}").json()

    assert found["answer"] == {
        "status": 401,
        "cause": "invalid_signature",
        "detail": "X-Signature is missing.",
    }
    assert found["how_to_fix"].startswith("Enter the same secret on both sides")
    assert (found["body"]["size"], found["body"]["truncated"]) == (5, True)
    assert found["body"]["content_type"] == "text/plain"
    assert (found["event_id"], found["executions_url"]) == (None, None)


def test_unusual_text_from_senders_is_shown(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    rejection = reject(endpoint, headers={"x": "\ud800\x00"})
    event = accept(endpoint, b'{"a": "\\u0000"}', query="?q=%00%ff")

    assert listed(api) == [str(event.pk), str(rejection.pk)]
    assert api.get(f"{URL}/{rejection.pk}").status_code == 200
    assert dump_json(api.get(f"{URL}/{event.pk}").json()["request"]["query"])


def test_the_raw_bytes_are_an_attachment(
    api: APIClient, endpoint: WebhookEndpoint
) -> None:
    event, rejection = accept(endpoint, b' {"a": 1.0}'), reject(endpoint)

    body = api.get(f"{URL}/{event.pk}/body")

    assert body.content == b' {"a": 1.0}'
    assert body["Content-Type"] == "application/octet-stream"
    assert body["X-Content-Type-Options"] == "nosniff"
    assert api.get(f"{URL}/{rejection.pk}/body").content == b"hello"


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/body"])
def test_deliveries_require_the_view_permission(
    endpoint: WebhookEndpoint, path: str
) -> None:
    address = URL + path.format(id=accept(endpoint).pk)

    assert visitor("view_event", "view_rejection").get(address).status_code == 403


def test_the_view_permission_does_not_allow_to_redeliver(
    endpoint: WebhookEndpoint,
) -> None:
    event, viewer = accept(endpoint), visitor("view_delivery")

    statuses = [
        viewer.post(f"{URL}/{event.pk}/redeliver").status_code,
        viewer.post(f"{URL}/redeliver", {"endpoint_id": str(endpoint.pk)}).status_code,
        viewer.post(f"{URL}/test", {"endpoint_id": str(endpoint.pk)}).status_code,
    ]

    assert viewer.get(f"{URL}/{event.pk}").status_code == 200
    assert statuses == [403, 403, 403]
    assert listed(viewer) == [str(event.pk)]
