"""Grafana and Alertmanager: both tell again of what still goes on."""

from __future__ import annotations

import base64
import json

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.builders import (
    FORM,
    NOW,
    SECRET,
    Sent,
    as_json,
    assert_taken_within,
    hex_hmac,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)

USER = "ana:" + SECRET


def with_time(sent: Sent) -> Sent:
    return sent.plus(
        X_Grafana_Alerting_Timestamp=str(NOW),
        X_Grafana_Alerting_Signature=hex_hmac(f"{NOW}:".encode() + sent.body),
    )


def bearer(sent: Sent, token: str = SECRET) -> Sent:
    return sent.plus(Authorization=f"Bearer {token}")


def basic(sent: Sent, user: str = USER) -> Sent:
    return sent.plus(Authorization="Basic " + base64.b64encode(user.encode()).decode())


PLAIN = sample("grafana", "firing")
TIMED = with_time(PLAIN)
UNTIMED = PLAIN.plus(X_Grafana_Alerting_Signature=hex_hmac(PLAIN.body))
each = pytest.mark.parametrize("slug", ["grafana", "alertmanager"])


@each
@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_a_notification_is_named_by_its_status(slug: str, status: str) -> None:
    assert identify(sample(slug, status)) == DeliveryIdentity(
        event_type=f"{slug}.{status}", delivery_id=None
    )


def test_a_payload_of_ones_own_has_a_name_too() -> None:
    assert identify(as_json("grafana", text="!")).event_type == "grafana.notification"


@pytest.mark.parametrize("name", ["Alerting", "Alert"])
def test_a_signature_is_taken_with_and_without_a_time(name: str) -> None:
    verify(TIMED)
    verify(PLAIN.plus(**{f"X_Grafana_{name}_Signature": hex_hmac(PLAIN.body)}))


@each
def test_a_bearer_token_or_a_password_is_taken(slug: str) -> None:
    sent = sample(slug, "firing")

    verify(bearer(sent))
    verify(basic(sent), secret=USER)
    assert refusal(bearer(sent, "another")) == FailureReason.NO_MATCH
    refusal(basic(sent, "ana:another"), secret=USER)
    refusal(sent)


@pytest.mark.parametrize(
    "changed",
    [
        TIMED.but(body=TIMED.body + b" "),
        TIMED.plus(X_Grafana_Alerting_Timestamp=str(NOW + 1)),
        TIMED.plus(X_Grafana_Alerting_Signature="00" * 32),
        TIMED.without("X-Grafana-Alerting-Timestamp"),
        TIMED.without("X-Grafana-Alerting-Signature"),
        UNTIMED.but(body=UNTIMED.body + b" "),
        UNTIMED.plus(X_Grafana_Alerting_Signature="00" * 32),
    ],
    ids=["body", "time", "signature", "no time", "none", "body", "signature"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)
    refusal(changed, secret="another")  # noqa: S106 - made up


def test_five_minutes_either_way_are_taken() -> None:
    assert_taken_within(300, TIMED)


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", ["application/json", FORM, "text/plain", ""])
def test_an_old_timed_delivery_can_not_be_replayed_without_its_time(
    content_type: str,
) -> None:
    """Time and body, written as one, are a body with a signature without a time."""
    body = f"{NOW}:".encode() + TIMED.body
    replayed = TIMED.without("X-Grafana-Alerting-Timestamp")

    answer = knock(
        make_endpoint("grafana"), replayed.but(body=body, content_type=content_type)
    )

    assert answer.status_code == 400
    assert_nothing_happened()


@each
@pytest.mark.django_db
def test_a_repeated_notification_is_an_event_again_and_keeps_no_token(
    slug: str,
) -> None:
    endpoint, sent = make_endpoint(slug), bearer(sample(slug, "firing"))

    statuses = [knock(endpoint, sent).json()["status"] for _ in range(2)]

    assert statuses == ["accepted"] * 2
    kept = [json.dumps(event.request) for event in Event.objects.all()]
    assert len(kept) == 2
    assert not any(SECRET in text for text in kept)


@pytest.mark.django_db
def test_what_is_no_notification_is_refused() -> None:
    answer = knock(make_endpoint("alertmanager"), bearer(as_json("alertmanager", a=1)))

    assert answer.status_code == 400
    assert_nothing_happened()
