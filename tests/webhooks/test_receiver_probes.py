"""Trailing slashes, and requests that only ask whether a webhook exists."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from django.test import Client

from events.models import Event
from tests.webhooks.deliveries import assert_nothing_happened, deliver
from tests.webhooks.ways import each_way as each_way
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]


def make_endpoint(*methods: str, **fields: Any) -> WebhookEndpoint:
    return create_endpoint(allowed_methods=methods or None, **fields).endpoint


@pytest.mark.parametrize("path", [None, "orders/eu"])
def test_a_url_with_a_trailing_slash_is_the_same(path: str | None) -> None:
    endpoint = make_endpoint(path=path)

    answer = Client().post(f"/webhooks/{endpoint.webhook_id}/?a=1")

    assert answer.status_code == 200
    assert Event.objects.get().endpoint_id == endpoint.pk


@pytest.mark.parametrize("suffix", ["//", "/x", "%2F%2F"])
def test_a_url_with_another_end_is_unknown(suffix: str) -> None:
    endpoint = make_endpoint()

    assert Client().post(f"/webhooks/{endpoint.webhook_id}{suffix}").status_code == 404
    assert_nothing_happened()


@pytest.mark.parametrize("config", [None, {"secret": "as long as you like"}])
@pytest.mark.parametrize("type_slug", ["generic", "twilio"])
def test_a_bare_get_is_answered_without_an_event(
    type_slug: str, config: dict[str, str] | None
) -> None:
    endpoint = make_endpoint("GET", "POST", type_slug=type_slug, config=config)

    answers = [deliver(endpoint, b"", method=method) for method in ("GET", "HEAD")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == {"success": True, "status": "ready"}
    assert_nothing_happened()


@pytest.mark.parametrize(("body", "query"), [(b"{}", ""), (b"", "?run=1")])
def test_a_get_with_a_query_or_a_body_is_a_delivery(body: bytes, query: str) -> None:
    endpoint = make_endpoint("GET", "POST")

    assert deliver(endpoint, body, method="GET", query=query).json()["event_id"]
    assert Event.objects.count() == 1


def test_a_bare_get_is_a_delivery_where_get_is_the_only_method() -> None:
    assert deliver(make_endpoint("GET"), b"", method="GET").json()["event_id"]


def test_twilio_delivers_by_get_and_signs_the_url() -> None:
    endpoint = make_endpoint(
        "POST", "GET", type_slug="twilio", config={"secret": "auth-token"}
    )
    query = "?CallSid=CA1&CallStatus=ringing&From=%2B15550100"
    url = f"http://testserver/webhooks/{endpoint.webhook_id}{query}"
    digest = hmac.digest(b"auth-token", url.encode(), hashlib.sha1)
    signature = base64.b64encode(digest).decode()

    sent = [
        deliver(endpoint, b"", method="GET", query=one, X_Twilio_Signature=signature)
        for one in (query, query + "1")
    ]

    assert [answer.status_code for answer in sent] == [200, 401]
    assert sent[0].content == b"<Response/>"
    event = Event.objects.get()
    assert event.type == "twilio.call.ringing"
    assert event.request["query"]["From"] == "+15550100"
