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


def header(sent: Sent, *, at: int = NOW, version: str = "v1", **secret: str) -> str:
    digest = hex_hmac(f"{at}.".encode() + sent.body, **secret)
    return f"t={at},{version}={digest}"


def signed(sent: Sent) -> Sent:
    return sent.plus(Stripe_Signature=header(sent))


PAID = signed(sample("stripe", "payment_intent.succeeded"))


@pytest.mark.parametrize(
    ("event", "number"),
    [
        ("payment_intent.succeeded", "evt_1AnaExample0001"),
        ("customer.subscription.updated", "evt_1AnaExample0002"),
    ],
)
def test_an_event_is_verified_and_named(event: str, number: str) -> None:
    sent = signed(sample("stripe", event))

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"stripe.{event}", delivery_id=number
    )


def test_one_of_the_signatures_is_enough_while_a_secret_is_rolled() -> None:
    old = header(PAID, secret="the one before").partition(",")[2]  # noqa: S106 - made up

    verify(PAID.plus(Stripe_Signature=f"{header(PAID)},{old}"))
    verify(
        PAID.plus(Stripe_Signature=f"t={NOW},{old},{header(PAID)[len(f't={NOW},') :]}")
    )


@pytest.mark.parametrize(
    "changed",
    [
        PAID.but(body=PAID.body + b" "),
        PAID.plus(Stripe_Signature=header(PAID).replace(f"t={NOW}", f"t={NOW + 1}")),
        PAID.plus(Stripe_Signature=header(PAID, version="v0")),
        PAID.plus(Stripe_Signature=f"t={NOW}"),
        PAID.plus(Stripe_Signature=header(PAID).partition(",")[2]),
        PAID.without("Stripe-Signature"),
    ],
    ids=["body", "time", "version", "no signature", "no time", "no header"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(PAID, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


def test_five_minutes_either_way_are_taken() -> None:
    assert_taken_within(300, PAID)


@pytest.mark.django_db
def test_a_retry_with_fewer_webhooks_pending_is_the_same_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhooks.receiver.checks.time.time", lambda: NOW)
    endpoint = make_endpoint("stripe")
    retried = json.loads(PAID.body) | {"pending_webhooks": 0}
    again = signed(PAID.but(body=json.dumps(retried).encode()))

    statuses = [knock(endpoint, sent).json()["status"] for sent in (PAID, again)]

    assert statuses == ["accepted", "duplicate"]
    assert bytes(Event.objects.get().body) == PAID.body
