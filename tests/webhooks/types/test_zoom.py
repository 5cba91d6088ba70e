from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    NOW,
    SECRET,
    Sent,
    answer_to,
    as_json,
    assert_taken_within,
    handshake,
    hex_hmac,
    identify,
    refusal,
    sample,
    verify,
)

VALIDATION = as_json(
    "zoom",
    event="endpoint.url_validation",
    event_ts=NOW * 1000,
    payload={"plainToken": "qgg8vlvZRS6UYooatFL8Aw"},
)


def signed(sent: Sent) -> Sent:
    signature = "v0=" + hex_hmac(f"v0:{NOW}:".encode() + sent.body)
    return sent.plus(x_zm_signature=signature, x_zm_request_timestamp=str(NOW))


STARTED = signed(sample("zoom", "meeting.started"))


def test_an_event_is_verified_and_named() -> None:
    verify(STARTED)
    identity = identify(STARTED)

    assert identity.event_type == "zoom.meeting.started"
    other = STARTED.but(body=STARTED.body.replace(b"0123", b"0124"))
    assert identify(other).delivery_id != identity.delivery_id


@pytest.mark.parametrize(
    "changed",
    [
        STARTED.but(body=STARTED.body + b" "),
        STARTED.plus(x_zm_request_timestamp=str(NOW + 1)),
        STARTED.plus(x_zm_signature="v0=" + "00" * 32),
        STARTED.without("x-zm-signature"),
        STARTED.without("x-zm-request-timestamp"),
    ],
    ids=["body", "timestamp", "signature", "no signature", "no timestamp"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(STARTED, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


def test_five_minutes_either_way_are_taken() -> None:
    assert_taken_within(300, STARTED)


def test_the_validation_of_the_url_is_answered_with_the_token_hashed() -> None:
    answer = answer_to(VALIDATION, signed=True)

    digest = hmac.new(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256)
    assert json.loads(answer.content) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": digest.hexdigest(),
    }


def test_the_validation_must_be_signed() -> None:
    assert handshake(VALIDATION, signed=False) is None
    assert handshake(STARTED, signed=True) is None
