from __future__ import annotations

import base64
import hmac
from urllib.parse import parse_qsl

import pytest

from events.models import Event
from senders.parsing import Identity
from senders.signatures import Cause
from tests.webhooks.types.builders import (
    SECRET,
    Sent,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)
from webhooks.endpoints.urls import webhook_url

TOKEN = "I-Twilio-Idempotency-Token"  # noqa: S105 - a header, not a secret


def signed(sent: Sent) -> Sent:
    fields = sorted(parse_qsl(sent.body.decode(), keep_blank_values=True))
    content = sent.url + "".join(name + value for name, value in fields)
    digest = hmac.new(SECRET.encode(), content.encode(), "sha1").digest()
    return sent.plus(X_Twilio_Signature=base64.b64encode(digest).decode())


MESSAGE = signed(sample("twilio", "message.received"))


@pytest.mark.parametrize("event", ["message.received", "call.ringing"])
def test_each_kind_is_verified_and_named(event: str) -> None:
    sent = signed(sample("twilio", event))

    verify(sent)
    assert identify(sent) == Identity(
        event_type=f"twilio.{event}", delivery_id=sent.headers[TOKEN]
    )


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b"MessageStatus=read", "message.read"),
        (b"RecordingStatus=completed&CallStatus=in-progress", "recording.completed"),
        (b"StatusCallbackEvent=participant-join", "participant-join"),
        (b"EventType=onMessageAdded", "onMessageAdded"),
        (b"AccountSid=AC1", "callback"),
    ],
)
def test_callbacks_are_named_by_their_status(body: bytes, event: str) -> None:
    assert identify(MESSAGE.but(body=body)).event_type == f"twilio.{event}"


@pytest.mark.parametrize(
    "changed",
    [
        MESSAGE.but(body=MESSAGE.body + b"&x=1"),
        MESSAGE.but(body=MESSAGE.body.replace(b"NumMedia=0", b"NumMedia=1")),
        MESSAGE.but(url=MESSAGE.url + "?a=1"),
        MESSAGE.plus(X_Twilio_Signature=base64.b64encode(bytes(20)).decode()),
        MESSAGE.without("X-Twilio-Signature"),
    ],
    ids=["field", "value", "url", "signature", "no signature"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(MESSAGE, secret="another") == Cause.NO_MATCH  # noqa: S106 - made up


@pytest.mark.django_db
def test_the_answer_is_twiml_that_does_nothing() -> None:
    endpoint = make_endpoint("twilio")

    answer = knock(endpoint, signed(MESSAGE.but(url=webhook_url(endpoint))))

    assert (answer.status_code, answer.content) == (200, b"<Response/>")
    assert answer["Content-Type"] == "text/xml; charset=utf-8"
    assert Event.objects.get().delivery_id == MESSAGE.headers[TOKEN]
