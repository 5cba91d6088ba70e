"""Sentry and PagerDuty: one or several signatures of the body alone."""

from __future__ import annotations

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.builders import (
    Sent,
    as_json,
    hex_hmac,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)


def of_sentry(resource: str) -> Sent:
    sent = sample("sentry", resource)
    return sent.plus(
        Sentry_Hook_Resource=resource,
        Sentry_Hook_Signature=hex_hmac(sent.body),
        Request_ID="0123456789abcdef0123456789abcdef",
    )


def of_pagerduty(sent: Sent) -> Sent:
    old = hex_hmac(sent.body, secret="the one before")  # noqa: S106 - made up
    return sent.plus(X_PagerDuty_Signature=f"v1={old},v1={hex_hmac(sent.body)}")


ISSUE = of_sentry("issue")
TRIGGERED = of_pagerduty(sample("pagerduty", "incident.triggered"))
PING = of_pagerduty(
    as_json("pagerduty", event={"id": "01", "event_type": "pagey.ping", "data": {}})
)


@pytest.mark.parametrize(
    ("resource", "event"),
    [("issue", "issue.created"), ("event_alert", "event_alert.triggered")],
)
def test_an_event_of_sentry_is_verified_and_named(resource: str, event: str) -> None:
    sent = of_sentry(resource)

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"sentry.{event}", delivery_id="0123456789abcdef0123456789abcdef"
    )


@pytest.mark.parametrize("event", ["incident.triggered", "incident.resolved"])
def test_an_event_of_pagerduty_is_verified_and_named(event: str) -> None:
    sent = of_pagerduty(sample("pagerduty", event))

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"pagerduty.{event}", delivery_id="01ANAEXAMPLE0000000000000A"
    )


@pytest.mark.parametrize(
    ("sent", "name", "other"),
    [
        (ISSUE, "Sentry-Hook-Signature", "00" * 32),
        (TRIGGERED, "X-PagerDuty-Signature", "v1=" + "00" * 32),
        (TRIGGERED, "X-PagerDuty-Signature", "v0=" + hex_hmac(TRIGGERED.body)),
    ],
    ids=["sentry", "pagerduty", "pagerduty's version"],
)
def test_what_is_signed_can_not_be_changed(sent: Sent, name: str, other: str) -> None:
    refusal(sent.but(body=sent.body + b" "))
    refusal(sent.but(headers={**sent.headers, name: other}))
    assert refusal(sent.without(name)) == FailureReason.MISSING_HEADER
    assert refusal(sent, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


@pytest.mark.django_db
def test_sentry_gets_a_short_answer() -> None:
    answer = knock(make_endpoint("sentry"), ISSUE)

    assert (answer.status_code, answer.content) == (200, b"")
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_the_ping_of_pagerduty_is_an_event_and_must_be_signed() -> None:
    endpoint = make_endpoint("pagerduty")
    forged = PING.plus(X_PagerDuty_Signature="v1=" + "ab" * 32)

    assert knock(endpoint, forged).status_code == 401
    assert_nothing_happened()
    assert knock(endpoint, PING).status_code == 200
    assert Event.objects.get().type == "pagerduty.pagey.ping"
