from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
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

ENVELOPE = "bbbb1111-0000-4000-8000-000000000002"
MADE_AT = "2026-11-20T09:15:00.1234567Z"


def signature(body: bytes) -> str:
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def signed(sent: Sent, number: int = 1) -> Sent:
    return sent.plus(**{f"X_DocuSign_Signature_{number}": signature(sent.body)})


COMPLETED = signed(sample("docusign", "envelope-completed"))


@pytest.mark.parametrize(
    ("event", "who"),
    [("envelope-completed", ENVELOPE), ("recipient-completed", f"{ENVELOPE}\n1")],
)
def test_an_event_is_verified_and_named(event: str, who: str) -> None:
    sent = signed(sample("docusign", event))

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"docusign.{event}", delivery_id=f"{who}\n{event}\n{MADE_AT}"
    )


@pytest.mark.parametrize("number", [2, 10])
def test_the_account_may_have_other_keys_before_ours(number: int) -> None:
    other = base64.b64encode(b"0" * 32).decode()
    sent = sample("docusign", "envelope-completed").plus(X_DocuSign_Signature_1=other)

    verify(signed(sent, number))


@pytest.mark.parametrize(
    "changed",
    [
        COMPLETED.but(body=COMPLETED.body + b" "),
        COMPLETED.plus(X_DocuSign_Signature_1=base64.b64encode(b"0" * 32).decode()),
        COMPLETED.without("X-DocuSign-Signature-1"),
    ],
    ids=["body", "signature", "no signature"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(COMPLETED, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


@pytest.mark.django_db
def test_a_retry_that_counts_itself_is_the_same_event() -> None:
    endpoint = make_endpoint("docusign")
    counted = json.loads(COMPLETED.body) | {"retryCount": 1}
    again = signed(COMPLETED.but(body=json.dumps(counted).encode()))

    statuses = [knock(endpoint, sent).json()["status"] for sent in (COMPLETED, again)]

    assert statuses == ["accepted", "duplicate"]
    assert Event.objects.count() == 1
