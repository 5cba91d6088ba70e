from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from events.models import Event, Inbox
from senders.definitions import load_definition, shipped, shipped_slugs
from senders.definitions.shipped import SampleDelivery, sample_events
from tests.senders.table import SENDERS
from tests.webhooks.received import URL, make_endpoint
from webhooks.endpoints.sample_requests import build_request
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db

# Their private keys are their own.
ONLY_THEY_SIGN = ("discord", "sendgrid", "sns")

every_sample = pytest.mark.parametrize(
    ("slug", "event"),
    [
        (slug, event)
        for slug in shipped_slugs()
        for event in sample_events(slug) or [""]
        if slug not in ONLY_THEY_SIGN
    ],
)


def send(api: APIClient, endpoint: WebhookEndpoint, **sent: Any) -> dict[str, Any]:
    response = api.post(f"{URL}/test", {"endpoint_id": str(endpoint.pk), **sent})
    assert response.status_code == 200, response.json()
    answer: dict[str, Any] = response.json()
    return answer


@every_sample
def test_each_sample_is_taken_as_its_senders_own(
    api: APIClient, slug: str, event: str
) -> None:
    endpoint = make_endpoint(type_slug=slug, config=SENDERS[slug].config)

    first, second = (send(api, endpoint, event=event) for _ in range(2))

    assert [(t["outcome"], t["cause"]) for t in (first, second)] == [
        ("accepted", None)
    ] * 2
    assert first["event_id"] != second["event_id"] is not None
    recorded = Event.objects.get(pk=first["event_id"])
    assert recorded.type == first["event_type"]
    assert not recorded.type.endswith(".unknown")
    assert recorded.delivery_id == first["delivery_id"]


@pytest.mark.parametrize("slug", shipped_slugs())
def test_each_type_has_a_sample(slug: str) -> None:
    assert sample_events(slug)


@pytest.mark.parametrize("slug", ONLY_THEY_SIGN)
def test_what_only_its_sender_signs_is_refused_with_the_way_out(
    api: APIClient, slug: str
) -> None:
    form = next(iter(SENDERS[slug].forms.values()))
    config = {"secret": form.secret, **SENDERS[slug].config}
    endpoint = make_endpoint(type_slug=slug, config=config)

    response = api.post(f"{URL}/test", {"endpoint_id": str(endpoint.pk)})

    assert response.status_code == 409
    assert response.json()["error_code"] == "only_the_sender_signs"
    assert "through a test-mode URL" in response.json()["detail"]
    assert not Event.objects.exists()


def test_a_test_event_is_an_event_like_any_other_but_marked(api: APIClient) -> None:
    endpoint = make_endpoint(type_slug="github", config={"secret": "a long secret"})

    answer = send(api, endpoint, event="push")

    event = Event.objects.get()
    assert (answer["outcome"], answer["status"]) == ("accepted", 200)
    assert (event.type, event.endpoint_id) == ("github.push", endpoint.pk)
    assert event.request["headers"]["x-github-delivery"] == answer["delivery_id"]
    assert event.request["remote_address"] == "127.0.0.1"
    assert Inbox.objects.get().event == event
    assert [row["is_test"] for row in api.get(URL).json()["results"]] == [True]


def test_what_the_door_refuses_is_told_as_it_is(api: APIClient) -> None:
    rules = {"required_headers": ["X-Shop"]}
    endpoint = make_endpoint(validation_rules=rules)

    answer = send(api, endpoint)

    assert (answer["outcome"], answer["status"]) == ("rejected", 400)
    assert answer["cause"] == "validation_failed"
    assert answer["detail"] == "This header is required"
    assert answer["how_to_fix"].startswith("The detail names each fault")
    assert answer["event_id"] is None
    assert not Event.objects.exists()


def test_a_disabled_endpoint_is_not_found_by_its_sender_either(api: APIClient) -> None:
    endpoint = make_endpoint()
    WebhookEndpoint.objects.update(is_active=False)

    assert send(api, endpoint)["status"] == 404


def test_an_endpoint_that_takes_only_get_is_tested_by_get(api: APIClient) -> None:
    endpoint = make_endpoint(allowed_methods=["GET"])

    assert send(api, endpoint)["outcome"] == "accepted"
    event = Event.objects.get()
    assert (event.request["method"], bytes(event.body)) == ("GET", b"")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"endpoint_id": str(uuid4())}, 400, "endpoint_not_found"),
        ({"event": "parade"}, 400, "unknown_sample"),
        ({"evnt": "push"}, 400, "invalid"),
    ],
)
def test_an_unusable_wish_is_refused(
    api: APIClient, sent: dict[str, str], status: int, code: str
) -> None:
    endpoint = make_endpoint(type_slug="github")

    response = api.post(f"{URL}/test", {"endpoint_id": str(endpoint.pk), **sent})

    assert response.status_code == status
    assert response.json()["error_code"] == code
    assert not Event.objects.exists()


def test_a_type_without_samples_is_greeted(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "_samples", lambda slug: {})
    endpoint = make_endpoint()

    send(api, endpoint, event="anything")

    assert (
        bytes(Event.objects.get().body) == b'{"type": "anything", "message": "Hello"}'
    )


@pytest.mark.parametrize(
    ("source", "body", "place"),
    [
        ({"body": "/id"}, b'{"id": "evt_1"}', ("id",)),
        ({"body": "/data/number"}, b'{"data": {"number": 7}}', ("data", "number")),
        ({"body": "/0/id"}, b'[{"id": "evt_1"}]', (0, "id")),
    ],
)
def test_an_id_in_the_body_is_a_new_one_each_time(
    source: dict[str, str], body: bytes, place: tuple[Any, ...]
) -> None:
    definition = load_definition(
        {"slug": "shop", "name": "Shop", "delivery_id": [source]}
    )
    sample = SampleDelivery(event="sold", body=body)

    built = build_request(definition, sample=sample, secret=None, url="http://x/")

    value = json.loads(built.body)
    for name in place:
        value = value[name]
    assert value not in ("evt_1", 7)
