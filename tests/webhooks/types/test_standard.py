"""Svix and Standard Webhooks: the same scheme under other names of headers."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.senders.sender_keys import ed25519_key, raw_public
from tests.webhooks.types.builders import NOW, Sent, identify, refusal, sample, verify

KEY = b"0123456789abcdef0123456789abcdef"
SHARED = "whsec_" + base64.b64encode(KEY).decode()
PUBLIC = "whpk_" + base64.b64encode(raw_public(ed25519_key())).decode()
PREFIXES = {"svix": "svix", "standardwebhooks": "webhook"}


def content(sent: Sent) -> bytes:
    return f"msg_1.{NOW}.".encode() + sent.body


def shared_signature(sent: Sent) -> str:
    digest = hmac.new(KEY, content(sent), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def public_signature(sent: Sent) -> str:
    return "v1a," + base64.b64encode(ed25519_key().sign(content(sent))).decode()


def with_signature(sent: Sent, signature: str) -> Sent:
    prefix = PREFIXES[sent.slug]
    return sent.plus(
        **{
            f"{prefix}_id": "msg_1",
            f"{prefix}_timestamp": str(NOW),
            f"{prefix}_signature": signature,
        }
    )


def paid(slug: str) -> Sent:
    sent = sample(slug, "invoice.paid")
    return with_signature(sent, shared_signature(sent))


each = pytest.mark.parametrize("slug", list(PREFIXES))


@each
def test_a_shared_secret_and_a_public_key_both_verify(slug: str) -> None:
    sent = paid(slug)

    verify(sent, secret=SHARED)
    verify(with_signature(sent, public_signature(sent)), secret=PUBLIC)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"{slug}.invoice.paid", delivery_id="msg_1"
    )


@each
def test_one_signature_of_several_is_enough(slug: str) -> None:
    sent = paid(slug)
    other = "v1," + base64.b64encode(b"0" * 32).decode()

    verify(with_signature(sent, f"{other} {shared_signature(sent)}"), secret=SHARED)


@each
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "msg_2"),
        ("timestamp", str(NOW + 1)),
        ("signature", "v1," + base64.b64encode(b"0" * 32).decode()),
    ],
)
def test_what_is_signed_can_not_be_changed(slug: str, name: str, value: str) -> None:
    sent, header = paid(slug), f"{PREFIXES[slug]}-{name}"

    refusal(sent.but(headers={**sent.headers, header: value}), secret=SHARED)
    assert refusal(sent.without(header), secret=SHARED) == FailureReason.MISSING_HEADER
    refusal(sent.but(body=sent.body + b" "), secret=SHARED)


@each
def test_a_public_key_is_no_shared_secret(slug: str) -> None:
    """Whoever knows the public key could otherwise sign with it."""
    sent = paid(slug)
    digest = hmac.new(raw_public(ed25519_key()), content(sent), hashlib.sha256)
    forged = "v1," + base64.b64encode(digest.digest()).decode()

    refusal(with_signature(sent, forged), secret=PUBLIC)


@each
@pytest.mark.parametrize("seconds", [-301, 301])
def test_more_than_five_minutes_either_way_are_refused(slug: str, seconds: int) -> None:
    cause = refusal(paid(slug), secret=SHARED, now=NOW + seconds)

    assert cause == FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE
    verify(paid(slug), secret=SHARED, now=NOW + seconds - seconds // 301)


@each
def test_another_secret_is_refused(slug: str) -> None:
    other = "whsec_" + base64.b64encode(KEY[::-1]).decode()

    assert refusal(paid(slug), secret=other) == FailureReason.NO_MATCH
