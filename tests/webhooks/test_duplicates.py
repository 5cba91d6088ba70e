from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from senders.definitions import resolve
from tests.webhooks.received import URL, accept, make_endpoint
from webhooks.models import Rejection, RejectionCount
from webhooks.receiver.refusals import record_duplicate
from webhooks.receiver.request import (
    WebhookRequest,
    open_request,
    parse_content,
    read_body,
)
from webhooks.rejections.recording import flush_rejections

pytestmark = pytest.mark.django_db


def test_a_duplicate_is_listed_and_leads_to_the_event(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    endpoint = make_endpoint()
    event = accept(endpoint, b'{"a": 1}', X_Delivery_Id="d-1")
    again = repeated_request(endpoint)

    with django_assert_num_queries(0):
        for _ in range(30):
            record_duplicate(again, event.pk)
    flush_rejections()

    [row, *_] = api.get(URL, {"outcome": "duplicate"}).json()["results"]
    assert (row["event_id"], row["delivery_id"]) == (str(event.pk), "d-1")
    assert (row["status"], row["body_size"]) == (200, 8)
    found = api.get(f"{URL}/{row['id']}").json()
    assert "authorization" not in found["request"]["headers"]
    assert found["body"]["truncated"] is False
    assert api.get(f"{URL}/{row['id']}/body").content == b'{"a": 1}'
    assert RejectionCount.objects.get(cause="duplicate").count == 30
    assert Rejection.objects.count() <= 20


def test_a_repeated_delivery_is_listed_as_one(api: APIClient) -> None:
    endpoint = make_endpoint()
    event = accept(endpoint, X_Delivery_Id="d-1")
    again = accept(endpoint, X_Delivery_Id="d-1")
    flush_rejections()

    rows = api.get(URL, {"delivery_id": "d-1"}).json()["results"]

    assert again == event
    assert [row["outcome"] for row in rows] == ["duplicate", "accepted"]
    assert {row["event_id"] for row in rows} == {str(event.pk)}


def repeated_request(endpoint: Any) -> WebhookRequest:
    http = RequestFactory().post(
        f"/webhooks/{endpoint.webhook_id}",
        b'{"a": 1}',
        content_type="application/json",
        headers={"X-Delivery-Id": "d-1", "Authorization": "Bearer abc"},
    )
    request = open_request(
        http, endpoint=endpoint, definition=resolve(endpoint.type), url=""
    )
    request.body = read_body(request)
    request.body_size = len(request.body)
    request.content = parse_content(request)
    return request
