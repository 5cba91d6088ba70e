from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    FORM,
    Sent,
    as_json,
    finder,
    hex_hmac,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)


def signed(sent: Sent, event: str) -> Sent:
    return sent.plus(
        X_GitHub_Event=event,
        X_GitHub_Delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958",
        X_Hub_Signature_256="sha256=" + hex_hmac(sent.body),
        X_Hub_Signature="sha1=" + hex_hmac(sent.body, "sha1"),
    )


PUSH = signed(sample("github", "push"), "push")
PING = signed(as_json("github", zen="Keep it simple.", hook_id=1, hook={}), "ping")


@pytest.mark.parametrize("event", ["push", "pull_request", "issues"])
def test_each_event_is_verified_and_named(event: str) -> None:
    sent = signed(sample("github", event), event)

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"github.{event}",
        delivery_id="72d3162e-cc78-11e3-81ab-4c9367dc0958",
    )


def test_a_form_is_signed_as_a_whole_and_read_by_its_payload() -> None:
    form = urlencode({"payload": PUSH.body.decode()}).encode()
    sent = signed(PUSH.but(body=form, content_type=FORM), "push")

    verify(sent)
    assert finder(sent).body == json.loads(PUSH.body)
    refusal(sent.but(body=PUSH.body))


@pytest.mark.parametrize(
    "changed",
    [
        PUSH.but(body=PUSH.body + b" "),
        PUSH.plus(X_Hub_Signature_256="sha256=" + "00" * 32),
        PUSH.plus(X_Hub_Signature_256=hex_hmac(PUSH.body)),
    ],
    ids=["body", "signature", "no prefix"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(PUSH, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


def test_the_weaker_sha1_signature_alone_does_not_count() -> None:
    assert refusal(PUSH.without("X-Hub-Signature-256")) == FailureReason.MISSING_HEADER


@pytest.mark.django_db
def test_a_push_is_acknowledged_and_a_redelivery_is_the_same_event() -> None:
    endpoint = make_endpoint("github")

    first, again = knock(endpoint, PUSH).json(), knock(endpoint, PUSH).json()

    assert (first["status"], again["status"]) == ("accepted", "duplicate")
    assert Event.objects.get().type == "github.push"


@pytest.mark.django_db
def test_a_payload_in_a_form_is_kept_byte_for_byte() -> None:
    form = urlencode({"payload": PUSH.body.decode()}).encode()

    answer = knock(
        make_endpoint("github"),
        signed(PUSH.but(body=form, content_type=FORM), "push"),
    )

    assert answer.status_code == 200
    assert bytes(Event.objects.get().body) == form


@pytest.mark.django_db
def test_a_ping_is_an_event_like_any_other() -> None:
    answer = knock(make_endpoint("github"), PING)

    assert answer.json()["status"] == "accepted"
    assert Event.objects.get().type == "github.ping"


@pytest.mark.django_db
def test_a_ping_must_be_signed() -> None:
    forged = PING.plus(X_Hub_Signature_256="sha256=" + "ab" * 32)

    assert knock(make_endpoint("github"), forged).status_code == 401
