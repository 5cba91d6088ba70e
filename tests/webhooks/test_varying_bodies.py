"""Deliveries with one id of senders that change the body when they repeat it."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from events.models import Event, EventKey
from senders.definitions import shipped_document
from senders.parsing import stable_digest
from tests.webhooks.deliveries import deliver
from tests.webhooks.uploads import MINIMAL
from tests.webhooks.ways import each_way as each_way
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint
from webhooks.types import upload_type

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

FAILED = {"id": "evt_1", "type": "charge.failed", "pending_webhooks": 2, "data": [1]}


def endpoint_like(slug: str) -> WebhookEndpoint:
    """Return an endpoint whose type reads deliveries as a shipped type, unsigned."""
    shipped = shipped_document(slug)
    kept = ("event_type", "delivery_id", "body_varies", "batch")
    parts = {name: shipped[name] for name in kept if name in shipped}
    upload_type(slug="like", document={**MINIMAL, **parts})
    return create_endpoint(type_slug="like").endpoint


def statuses(endpoint: WebhookEndpoint, *bodies: Any, **sent: Any) -> list[str]:
    answers = [deliver(endpoint, json.dumps(b).encode(), **sent) for b in bodies]
    found = [(answer.status_code, answer.json()) for answer in answers]
    return [
        answer["status"] if status == 200 else str(status) for status, answer in found
    ]


@pytest.mark.parametrize("event_id", ["evt_1", "evt_00000000000000"])
@pytest.mark.parametrize(
    "change", [{"type": "invoice.paid"}, {"data": [2]}, {"livemode": True}]
)
def test_another_event_of_stripe_with_a_known_id_is_recorded(
    event_id: str, change: dict[str, Any]
) -> None:
    first = {**FAILED, "id": event_id}

    found = statuses(endpoint_like("stripe"), first, {**first, **change})

    assert found == ["accepted", "accepted"]
    assert Event.objects.count() == 2


def test_a_retry_with_another_counter_is_a_duplicate_also_of_a_second_event() -> None:
    endpoint = endpoint_like("stripe")
    paid = {**FAILED, "type": "invoice.paid"}
    again = [{**one, "pending_webhooks": 1} for one in (FAILED, paid, FAILED)]

    found = statuses(endpoint, FAILED, paid, *again)

    assert found == ["accepted"] * 2 + ["duplicate"] * 3
    assert Event.objects.count() == EventKey.objects.count() == 2


def test_formatting_and_the_order_of_members_are_not_compared() -> None:
    endpoint = endpoint_like("stripe")
    statuses(endpoint, FAILED)
    body = json.dumps(dict(reversed(FAILED.items())), indent=2).encode()

    answers = [
        deliver(endpoint, body),
        deliver(endpoint, gzip.compress(body), Content_Encoding="gzip"),
    ]

    assert [one.json()["status"] for one in answers] == ["duplicate"] * 2


@pytest.mark.parametrize(
    ("slug", "name"),
    [
        ("sendgrid", "event"),
        ("hubspot-v1", "subscriptionType"),
        ("hubspot-v3", "propertyValue"),
    ],
)
def test_another_item_of_a_batch_with_a_known_id_is_recorded(
    slug: str, name: str
) -> None:
    endpoint = endpoint_like(slug)
    ids = {"sg_event_id": "a", "subscriptionId": 1, "eventId": 2, "occurredAt": 3}
    item = {**ids, "event": "delivered", "subscriptionType": "x", "attemptNumber": 0}
    other = {**item, name: "other"}

    answers = [
        deliver(endpoint, json.dumps(items).encode()).json()
        for items in ([item, other], [item, other], [other])
    ]

    found = [[event["status"] for event in one["events"]] for one in answers]
    assert found == [["accepted"] * 2, ["duplicate"] * 2, ["duplicate"]]
    assert Event.objects.count() == 2


def test_only_the_event_type_is_compared_if_the_members_are_not_declared() -> None:
    document = {
        **MINIMAL,
        "event_type": [{"body": "/type"}],
        "delivery_id": [{"body": "/id"}],
        "body_varies": True,
    }
    upload_type(slug="counter", document=document)
    endpoint = create_endpoint(type_slug="counter").endpoint
    first = {"id": 1, "type": "a"}

    found = statuses(endpoint, first, {**first, "n": 2}, {**first, "type": "b"})

    assert found == ["accepted", "duplicate", "accepted"]


def test_without_varying_members_another_body_is_a_conflict() -> None:
    upload_type(slug="fixed", document={**MINIMAL, "delivery_id": [{"body": "/id"}]})
    endpoint = create_endpoint(type_slug="fixed").endpoint

    assert statuses(endpoint, {"id": 1}, {"id": 1, "n": 2}) == ["accepted", "409"]


def test_a_retry_whose_first_event_was_purged_is_a_duplicate() -> None:
    endpoint = endpoint_like("stripe")
    statuses(endpoint, FAILED)
    Event.objects.all().delete()

    assert statuses(endpoint, {**FAILED, "data": [2]}) == ["duplicate"]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 5000, b""])
def test_a_body_that_is_not_json_is_compared_by_its_bytes(body: bytes) -> None:
    paths = [("n",)]

    assert stable_digest(body, varying=paths) == stable_digest(body, varying=paths)
    assert stable_digest(body, varying=paths) != stable_digest(b"x", varying=paths)
