from __future__ import annotations

import pytest

from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    Sent,
    as_json,
    hex_hmac,
    identify,
    refusal,
    sample,
    verify,
)


def signed(sent: Sent, hash_name: str = "sha256") -> Sent:
    content = sent.body + sent.headers["Date"].encode()
    return sent.plus(
        X_Signature=hex_hmac(content, hash_name), X_Scalr_Delivery_Id="wd-1"
    )


ATTENTION = signed(sample("scalr", "run_needs_attention"))


@pytest.mark.parametrize("hash_name", ["sha256", "sha1"])
def test_an_event_is_verified_and_named(hash_name: str) -> None:
    sent = signed(ATTENTION, hash_name)

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type="scalr.run:needs_attention", delivery_id="wd-1"
    )


def test_the_older_form_has_its_id_in_the_body() -> None:
    sent = as_json("scalr", eventId="7", eventName="HostUp")

    assert identify(sent) == DeliveryIdentity(
        event_type="scalr.HostUp", delivery_id="7"
    )


@pytest.mark.parametrize(
    "changed",
    [
        ATTENTION.but(body=ATTENTION.body + b" "),
        ATTENTION.plus(Date="2026-11-20T09:15:01+0000"),
        ATTENTION.plus(X_Signature="00" * 32),
        ATTENTION.without("X-Signature"),
        ATTENTION.without("Date"),
    ],
    ids=["body", "date", "signature", "no signature", "no date"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(ATTENTION, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up
