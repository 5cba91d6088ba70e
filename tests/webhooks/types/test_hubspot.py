from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from senders.definitions import resolve
from senders.parsing import DeliveryIdentity
from senders.parsing.json_bodies import split_array
from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    NOW,
    SECRET,
    Sent,
    assert_taken_within,
    identify,
    refusal,
    sample,
    verify,
)


def sign_v1(sent: Sent) -> Sent:
    digest = hashlib.sha256(SECRET.encode() + sent.body).hexdigest()
    return sent.plus(X_HubSpot_Signature=digest)


def sign_v2(sent: Sent) -> Sent:
    start = f"{SECRET}{sent.method}{sent.url}".encode()
    digest = hashlib.sha256(start + sent.body).hexdigest()
    return sent.plus(X_HubSpot_Signature=digest)


def sign_v3(sent: Sent) -> Sent:
    at = str(NOW * 1000)
    content = f"{sent.method}{sent.url}".encode() + sent.body + at.encode()
    digest = hmac.new(SECRET.encode(), content, hashlib.sha256).digest()
    signature = {"X-HubSpot-Signature-v3": base64.b64encode(digest).decode()}
    return sent.but(headers={**signature, "X-HubSpot-Request-Timestamp": at})


V1 = sign_v1(sample("hubspot-v1", "contact.propertyChange"))
V2 = sign_v2(sample("hubspot-v2", "workflow"))
V3 = sign_v3(sample("hubspot-v3", "contact.propertyChange"))
every_version = pytest.mark.parametrize("sent", [V1, V2, V3], ids=["v1", "v2", "v3"])


@pytest.mark.parametrize("sent", [V1, V3], ids=["v1", "v3"])
def test_a_batch_is_verified_as_a_whole_and_named_one_by_one(sent: Sent) -> None:
    verify(sent)

    named = [identify(sent.but(body=item)) for item in split_array(sent.body)]
    assert named == [
        DeliveryIdentity(
            event_type=f"{sent.slug}.contact.propertyChange",
            delivery_id="30002\n1000200030\n1795000000123\n400500",
        ),
        DeliveryIdentity(
            event_type=f"{sent.slug}.contact.creation",
            delivery_id="30001\n1000200031\n1795000000456\n400501",
        ),
    ]


def test_a_further_attempt_has_the_same_id() -> None:
    first, _ = split_array(V3.body)
    again = json.dumps(json.loads(first) | {"attemptNumber": 1}).encode()
    no_object = {"subscriptionId": 1, "eventId": 2, "occurredAt": 3}

    assert identify(V3.but(body=again)) == identify(V3.but(body=first))
    assert resolve("hubspot-v3").body_varies
    without = identify(V3.but(body=json.dumps(no_object).encode()))
    assert without.delivery_id == "1\n2\n3"


def test_a_workflow_is_verified_and_named() -> None:
    verify(V2)
    assert identify(V2) == DeliveryIdentity(
        event_type="hubspot-v2.workflow", delivery_id="ap-1002003-400500-7-0"
    )


@every_version
def test_the_body_is_signed(sent: Sent) -> None:
    assert refusal(sent.but(body=sent.body + b" ")) == FailureReason.NO_MATCH


@pytest.mark.parametrize("sent", [V2, V3], ids=["v2", "v3"])
@pytest.mark.parametrize(
    "change", [{"url": V2.url + "?a=1"}, {"method": "PUT"}], ids=["url", "method"]
)
def test_url_and_method_are_signed(sent: Sent, change: dict[str, str]) -> None:
    assert refusal(sent.but(**change)) == FailureReason.NO_MATCH


@every_version
def test_another_secret_is_refused(sent: Sent) -> None:
    assert refusal(sent, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


@every_version
def test_a_missing_header_is_refused(sent: Sent) -> None:
    for name in sent.headers:
        assert refusal(sent.without(name)) == FailureReason.MISSING_HEADER


def test_the_time_is_signed_and_counts_for_five_minutes() -> None:
    later = V3.plus(X_HubSpot_Request_Timestamp=str(NOW * 1000 + 1))

    assert refusal(later) == FailureReason.NO_MATCH
    assert_taken_within(300, V3)


def test_version_three_signs_the_url_with_some_escapes_decoded() -> None:
    called = "https://hooks.example/webhooks/wht_1?to=a%40b.example&x=%20%2F"
    decoded = "https://hooks.example/webhooks/wht_1?to=a@b.example&x=%20/"

    verify(sign_v3(V3.but(url=decoded)).but(url=called))
