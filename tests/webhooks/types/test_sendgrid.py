from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from events.models import Event
from senders.definitions import resolve
from senders.parsing import Identity, parse_body
from senders.parsing.batches import split_array
from senders.signatures import Cause
from tests.senders.sender_keys import ecdsa_signature, p256_key, spki
from tests.webhooks.types.builders import (
    NOW,
    Sent,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)
from webhooks.receiver.record import is_batch

KEY = base64.b64encode(spki(p256_key())).decode()
NAME = "X_Twilio_Email_Event_Webhook_"
OTHER_KEY = base64.b64encode(spki(ec.generate_private_key(ec.SECP256R1()))).decode()


def signed(sent: Sent) -> Sent:
    signature = ecdsa_signature(str(NOW).encode() + sent.body)
    return sent.plus(**{f"{NAME}Signature": signature, f"{NAME}Timestamp": str(NOW)})


BATCH = signed(sample("sendgrid", "delivered"))


def test_a_batch_is_verified_as_a_whole_and_named_one_by_one() -> None:
    verify(BATCH, secret=KEY)

    named = [identify(BATCH.but(body=item)) for item in split_array(BATCH.body)]
    assert named == [
        Identity(
            event_type="sendgrid.delivered", delivery_id="ZGVsaXZlcmVkLWFuYS0wMDAx"
        ),
        Identity(event_type="sendgrid.open", delivery_id="b3Blbi1hbmEtMDAwMg"),
    ]


def test_an_array_is_a_batch_and_an_object_is_not() -> None:
    def is_sendgrid_batch(body: bytes) -> bool:
        parsed = parse_body(body, BATCH.content_type)
        return is_batch(
            resolve("sendgrid"), content_type=BATCH.content_type, parsed=parsed
        )

    assert is_sendgrid_batch(BATCH.body)
    assert not is_sendgrid_batch(b'{"event": "open"}')


@pytest.mark.parametrize(
    "changed",
    [
        BATCH.but(body=BATCH.body + b"\r\n"),
        BATCH.plus(**{f"{NAME}Timestamp": str(NOW + 1)}),
        BATCH.plus(**{f"{NAME}Signature": ecdsa_signature(b"another")}),
        BATCH.without(f"{NAME}Signature".replace("_", "-")),
        BATCH.without(f"{NAME}Timestamp".replace("_", "-")),
    ],
    ids=["body", "timestamp", "signature", "no signature", "no timestamp"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed, secret=KEY)


def test_another_key_is_refused() -> None:
    assert refusal(BATCH, secret=OTHER_KEY) == Cause.NO_MATCH


@pytest.mark.django_db
def test_each_event_of_a_batch_is_recorded_once() -> None:
    endpoint = make_endpoint("sendgrid", secret=KEY)

    answers = [knock(endpoint, BATCH) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    types = Event.objects.order_by("id").values_list("type", flat=True)
    assert list(types) == ["sendgrid.delivered", "sendgrid.open"]
