from __future__ import annotations

import json

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    NOW,
    Sent,
    assert_taken_within,
    hex_hmac,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)

DELIVERY = "234d1a4e-b617-4388-90fe-adc3633d6b72"


def sent_at(seconds: float) -> Sent:
    sent = sample("linear", "Issue")
    body = json.loads(sent.body) | {"webhookTimestamp": int(seconds * 1000)}
    return signed(sent.but(body=json.dumps(body).encode()))


def signed(sent: Sent) -> Sent:
    return sent.plus(
        Linear_Event="Issue",
        Linear_Delivery=DELIVERY,
        Linear_Signature=hex_hmac(sent.body),
    )


ISSUE = sent_at(NOW)


def test_an_event_is_verified_and_named() -> None:
    verify(ISSUE)
    assert identify(ISSUE) == DeliveryIdentity(
        event_type="linear.Issue", delivery_id=DELIVERY
    )


@pytest.mark.parametrize(
    "changed",
    [
        ISSUE.but(body=ISSUE.body + b" "),
        ISSUE.plus(Linear_Signature="00" * 32),
        ISSUE.without("Linear-Signature"),
        signed(ISSUE.but(body=b'{"type": "Issue"}')),
        ISSUE.but(content_type="text/csv"),
    ],
    ids=["body", "signature", "no signature", "no time", "type that hides the time"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(ISSUE, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


def test_one_minute_either_way_is_taken() -> None:
    assert_taken_within(60, ISSUE)


@pytest.mark.django_db
def test_a_retry_with_another_time_is_the_same_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhooks.receiver.checks.time.time", lambda: NOW)
    endpoint = make_endpoint("linear")

    statuses = [
        knock(endpoint, sent).json()["status"] for sent in (ISSUE, sent_at(NOW + 50))
    ]

    assert statuses == ["accepted", "duplicate"]
    assert bytes(Event.objects.get().body) == ISSUE.body
