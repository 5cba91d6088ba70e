from __future__ import annotations

import base64
import hmac

import pytest

from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.builders import (
    FORM,
    NOW,
    SECRET,
    Sent,
    assert_taken_within,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)

HASHES = ("sha512", "sha256")
SLUGS = ("convoy-hex", "convoy-b64")
each = pytest.mark.parametrize("slug", SLUGS)
each_hash = pytest.mark.parametrize("hash_name", HASHES)


def signature(slug: str, content: bytes, hash_name: str) -> str:
    digest = hmac.new(SECRET.encode(), content, hash_name).digest()
    return digest.hex() if slug == "convoy-hex" else base64.b64encode(digest).decode()


def simple(slug: str, hash_name: str = "sha256") -> Sent:
    sent = sample(slug, "order.shipped")
    return sent.plus(
        X_Convoy_Signature=signature(slug, sent.body, hash_name),
        X_Convoy_Idempotency_Key="key-1",
    )


def advanced(slug: str, hash_name: str = "sha256") -> Sent:
    sent = simple(slug)
    made = signature(slug, f"{NOW},".encode() + sent.body, hash_name)
    return sent.plus(X_Convoy_Signature=f"t={NOW},v1={made}")


@each
@each_hash
def test_both_forms_are_verified_and_named(slug: str, hash_name: str) -> None:
    for sent in (simple(slug, hash_name), advanced(slug, hash_name)):
        verify(sent)
        assert identify(sent) == DeliveryIdentity(
            event_type=f"{slug}.order.shipped", delivery_id="key-1"
        )


@each
@each_hash
def test_what_is_signed_can_not_be_changed(slug: str, hash_name: str) -> None:
    for sent in (simple(slug, hash_name), advanced(slug, hash_name)):
        refusal(sent.but(body=sent.body + b" "))
        refusal(sent, secret="another")  # noqa: S106 - made up
        assert (
            refusal(sent.without("X-Convoy-Signature")) == FailureReason.MISSING_HEADER
        )


@each
def test_the_time_of_the_advanced_form_can_not_be_changed(slug: str) -> None:
    sent = advanced(slug)
    later = sent.headers["X-Convoy-Signature"].replace(f"t={NOW}", f"t={NOW + 1}")

    refusal(sent.plus(X_Convoy_Signature=later))
    assert_taken_within(300, sent)


@each
@pytest.mark.django_db
@pytest.mark.parametrize("content_type", ["application/json", FORM, "text/plain", ""])
def test_an_old_advanced_delivery_can_not_be_replayed_as_a_simple_one(
    slug: str, content_type: str
) -> None:
    """Time and body, written as one, are a body with a simple signature."""
    old = advanced(slug)
    made = old.headers["X-Convoy-Signature"].partition(",v1=")[2]
    body = f"{NOW},".encode() + old.body
    replayed = old.but(body=body, content_type=content_type)
    replayed = replayed.plus(X_Convoy_Signature=made)

    answer = knock(make_endpoint(slug), replayed)

    assert answer.status_code == 400
    assert_nothing_happened()
