from __future__ import annotations

import json

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.senders.sender_keys import ed25519_key, raw_public
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.builders import (
    NOW,
    Sent,
    answer_to,
    as_json,
    handshake,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)

PUBLIC_KEY = raw_public(ed25519_key()).hex()
PING = as_json("discord", id="1", type=1, token="x", version=1)  # noqa: S106 - Discord's word


def signed(sent: Sent) -> Sent:
    signature = ed25519_key().sign(str(NOW).encode() + sent.body).hex()
    return sent.plus(X_Signature_Timestamp=str(NOW), X_Signature_Ed25519=signature)


COMMAND = signed(sample("discord", "application_command"))
AUTHORIZED = signed(sample("discord", "APPLICATION_AUTHORIZED"))


def test_an_interaction_is_verified_and_named() -> None:
    verify(COMMAND, secret=PUBLIC_KEY)
    assert identify(COMMAND) == DeliveryIdentity(
        event_type="discord.application_command", delivery_id="1300000000000000001"
    )


def test_a_webhook_event_has_no_id_but_its_bytes() -> None:
    verify(AUTHORIZED, secret=PUBLIC_KEY)
    identity = identify(AUTHORIZED)

    assert identity.event_type == "discord.APPLICATION_AUTHORIZED"
    other = AUTHORIZED.but(body=AUTHORIZED.body.replace(b"123456", b"123457"))
    assert identify(AUTHORIZED) == identity != identify(other)


@pytest.mark.parametrize(
    "changed",
    [
        COMMAND.but(body=COMMAND.body + b" "),
        COMMAND.plus(X_Signature_Timestamp=str(NOW + 1)),
        COMMAND.plus(X_Signature_Ed25519="00" * 64),
        COMMAND.without("X-Signature-Timestamp"),
        COMMAND.without("X-Signature-Ed25519"),
    ],
    ids=["body", "timestamp", "signature", "no timestamp", "no signature"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed, secret=PUBLIC_KEY)


def test_another_key_is_refused() -> None:
    assert refusal(COMMAND, secret="00" * 32) == FailureReason.NO_MATCH


def test_pings_are_answered_each_in_its_way() -> None:
    interactions = answer_to(PING, signed=True)
    events = answer_to(as_json("discord", version=1, type=0), signed=True)

    assert json.loads(interactions.content) == {"type": 1}
    assert (events.status_code, events.content) == (204, b"")
    assert handshake(PING, signed=False) is None
    assert handshake(AUTHORIZED, signed=True) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "answered"),
    [
        (2, {"type": 5}),
        (3, {"type": 6}),
        (4, {"type": 8, "data": {"choices": []}}),
        (5, {"type": 5}),
    ],
)
def test_interactions_are_put_off(kind: int, answered: dict[str, object]) -> None:
    sent = signed(as_json("discord", id=str(kind), type=kind, token="x"))  # noqa: S106 - as above

    answer = knock(make_endpoint("discord", secret=PUBLIC_KEY), sent)

    assert (answer.status_code, answer.json()) == (200, answered)
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_an_interaction_can_be_answered_with_a_message() -> None:
    reply = {"data": {"content": "On it"}}
    endpoint = make_endpoint("discord", secret=PUBLIC_KEY, reply=reply)

    assert knock(endpoint, COMMAND).json() == {"type": 4, **reply}


@pytest.mark.django_db
def test_a_webhook_event_is_answered_with_nothing() -> None:
    answer = knock(make_endpoint("discord", secret=PUBLIC_KEY), AUTHORIZED)

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.django_db
@pytest.mark.parametrize("sent", [PING, COMMAND], ids=["ping", "command"])
def test_a_signature_that_is_wrong_on_purpose_gets_401(sent: Sent) -> None:
    forged = signed(sent).plus(X_Signature_Ed25519="ab" * 64)

    answer = knock(make_endpoint("discord", secret=PUBLIC_KEY), forged)

    assert answer.status_code == 401
    assert_nothing_happened()
