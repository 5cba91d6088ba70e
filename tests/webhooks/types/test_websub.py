from __future__ import annotations

import pytest

from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    Sent,
    answer_to,
    finder,
    handshake,
    hex_hmac,
    identify,
    refusal,
    sample,
    verify,
)
from webhooks.receiver.handshakes import mismatches

TOPIC = "https://weather.example/feed"
GET = Sent(slug="websub", method="GET", body=b"")
CONTENT = sample("websub", "content")


def signed(hash_name: str) -> Sent:
    return CONTENT.plus(
        X_Hub_Signature=f"{hash_name}={hex_hmac(CONTENT.body, hash_name)}"
    )


def intent(mode: str, topic: str = TOPIC) -> dict[str, str]:
    lease = {"hub.lease_seconds": "864000"}
    return {"hub.mode": mode, "hub.topic": topic, "hub.challenge": "c-1", **lease}


def missing(mode: str, config: dict[str, str], topic: str = TOPIC) -> list[str]:
    found = handshake(GET, signed=False, query=intent(mode, topic))
    assert found is not None
    return mismatches(found.matches, finder(GET, **intent(mode, topic)), config)


@pytest.mark.parametrize("hash_name", ["sha1", "sha256", "sha384", "sha512"])
def test_content_is_verified_by_the_hash_that_the_hub_names(hash_name: str) -> None:
    verify(signed(hash_name))
    assert identify(CONTENT) == DeliveryIdentity(
        event_type="websub.content", delivery_id=None
    )


@pytest.mark.parametrize(
    "changed",
    [
        signed("sha256").but(body=CONTENT.body + b"\n"),
        CONTENT.plus(X_Hub_Signature="sha1=" + hex_hmac(CONTENT.body)),
        CONTENT.plus(X_Hub_Signature="md5=" + hex_hmac(CONTENT.body, "md5")),
        CONTENT,
    ],
    ids=["body", "another hash", "unknown hash", "no signature"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    cause = refusal(signed("sha512"), secret="another")  # noqa: S106 - made up
    assert cause == FailureReason.NO_MATCH


def test_the_wish_to_subscribe_is_confirmed() -> None:
    answer = answer_to(GET, signed=False, query=intent("subscribe"))

    assert (answer.status_code, answer.content) == (200, b"c-1")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"


def test_with_a_topic_only_that_one_is_confirmed() -> None:
    assert missing("subscribe", {}) == []
    assert missing("subscribe", {"topic": TOPIC}) == []
    assert missing("subscribe", {"topic": TOPIC}, TOPIC + "/2") == ["topic"]


def test_leaving_is_confirmed_only_where_it_is_wished() -> None:
    assert missing("unsubscribe", {}) == ["unsubscribe_topic"]
    assert missing("unsubscribe", {"topic": TOPIC}) == ["unsubscribe_topic"]
    assert missing("unsubscribe", {"unsubscribe_topic": TOPIC}) == []


def test_a_denied_subscription_is_acknowledged() -> None:
    denied = {"hub.mode": "denied", "hub.topic": TOPIC, "hub.reason": "no"}

    answer = answer_to(GET, signed=False, query=denied)

    assert (answer.status_code, answer.content) == (200, b"")
