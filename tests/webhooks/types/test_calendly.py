from __future__ import annotations

import json

import pytest

from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    NOW,
    Sent,
    assert_taken_within,
    hex_hmac,
    identify,
    refusal,
    sample,
    verify,
)


def header(sent: Sent) -> str:
    return f"t={NOW},v1=" + hex_hmac(f"{NOW}.".encode() + sent.body)


def signed(sent: Sent) -> Sent:
    return sent.plus(Calendly_Webhook_Signature=header(sent))


CREATED = signed(sample("calendly", "invitee.created"))


def test_an_event_is_verified_and_named_by_what_it_tells() -> None:
    body = json.loads(CREATED.body)

    verify(CREATED)
    identity = identify(CREATED)
    assert identity.event_type == "calendly.invitee.created"
    assert identity.delivery_id == (
        f"{body['payload']['uri']}\ninvitee.created\n2026-11-20T09:15:00.000000Z"
    )


@pytest.mark.parametrize("name", ["event", "created_at"])
def test_another_event_of_the_same_invitee_is_another_delivery(name: str) -> None:
    other = json.loads(CREATED.body) | {name: "another"}

    found = identify(CREATED.but(body=json.dumps(other).encode()))

    assert found.delivery_id != identify(CREATED).delivery_id


@pytest.mark.parametrize(
    "changed",
    [
        CREATED.but(body=CREATED.body + b" "),
        CREATED.plus(Calendly_Webhook_Signature=header(CREATED).replace("t=1", "t=2")),
        CREATED.plus(Calendly_Webhook_Signature=f"t={NOW},v1=" + "00" * 32),
        CREATED.plus(Calendly_Webhook_Signature=f"t={NOW}"),
        CREATED.without("Calendly-Webhook-Signature"),
    ],
    ids=["body", "time", "signature", "no signature", "no header"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(CREATED, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


def test_three_minutes_either_way_are_taken() -> None:
    assert_taken_within(180, CREATED)
