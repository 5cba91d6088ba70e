from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    FORM,
    NOW,
    Sent,
    hex_hmac,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)

TOKEN = "5a1f0c7e9b3d2a4c6e8f0a1b2c3d4e5f60718293a4b5c6d7e8"  # noqa: S105 - made up


def event(**changed: object) -> Sent:
    """Return the event as signed, with these fields of its signature changed."""
    sent = sample("mailgun", "delivered")
    body = json.loads(sent.body)
    body["signature"] |= {"signature": hex_hmac(f"{NOW}{TOKEN}".encode()), **changed}
    return sent.but(body=json.dumps(body).encode())


def route(**changed: str) -> Sent:
    """Return a message that a route forwards, with these fields changed."""
    fields = {
        "recipient": "weather@mail.example",
        "subject": "Tomorrow",
        "timestamp": str(NOW),
        "token": TOKEN,
        "signature": hex_hmac(f"{NOW}{TOKEN}".encode()),
        **changed,
    }
    body = urlencode(fields).encode()
    return Sent(slug="mailgun", body=body, content_type=FORM)


@pytest.mark.parametrize(
    ("sent", "name"), [(event(), "delivered"), (route(), "message")]
)
def test_each_kind_is_verified_and_named(sent: Sent, name: str) -> None:
    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"mailgun.{name}", delivery_id=TOKEN
    )


@pytest.mark.parametrize(
    "changed",
    [
        event(token="5" * 50),
        event(timestamp=str(NOW + 1)),
        event(signature="00" * 32),
        event(signature=""),
        event(token=None),
        route(token="5" * 50),
        route(timestamp=str(NOW + 1)),
        route(signature=""),
    ],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(event(), secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


@pytest.mark.django_db
def test_a_token_does_not_vouch_for_a_second_event() -> None:
    endpoint = make_endpoint("mailgun")
    forged = event().but(body=event().body.replace(b"bea@", b"eve@"))
    verify(forged)

    answers = [knock(endpoint, sent) for sent in (event(), event(), forged)]

    assert [answer.status_code for answer in answers] == [200, 200, 409]
    assert Event.objects.count() == 1
