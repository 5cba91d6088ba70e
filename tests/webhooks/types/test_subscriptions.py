"""Meta, WebSub, Zoom and Intercom: senders that check the URL before they deliver."""

from __future__ import annotations

import json

import pytest

from senders.definitions import resolve
from tests.senders.requests import NOW, Sent, as_json, finder, hex_hmac, identify
from tests.senders.table import signed
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.receiving import answer_to, handshake, make_endpoint, send
from webhooks.receiver.handshakes import mismatches

DAY = 86_400
WHATSAPP = signed("meta", "whatsapp_business_account.messages")
META = Sent(slug="meta", method="GET", body=b"")
SUBSCRIBE = {
    "hub.mode": "subscribe",
    "hub.challenge": "1158201444",
    "hub.verify_token": "my-verify-token",
}
FEED = "https://weather.example/feed"
WEBSUB = Sent(slug="websub", method="GET", body=b"")
VALIDATION = as_json(
    "zoom",
    event="endpoint.url_validation",
    event_ts=NOW * 1000,
    payload={"plainToken": "qgg8vlvZRS6UYooatFL8Aw"},
)


def test_equal_bytes_from_meta_within_a_week_are_one_delivery() -> None:
    other = WHATSAPP.but(body=WHATSAPP.body.replace(b"EXAMPLE0001", b"EXAMPLE0002"))
    monday = 7 * DAY * 3000

    def delivery_id(sent: Sent, now: int) -> str | None:
        return identify(sent.but(now=now)).delivery_id

    first = delivery_id(WHATSAPP, monday)
    assert first == delivery_id(WHATSAPP, monday + 7 * DAY - 1)
    assert first != delivery_id(other, monday)
    assert first != delivery_id(WHATSAPP, monday + 7 * DAY)


def test_the_challenge_of_meta_is_returned_as_text() -> None:
    answer = answer_to(META, signed=False, query=SUBSCRIBE)

    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert handshake(META, signed=False, query={"hub.mode": "subscribe"}) is None


def test_only_the_configured_verify_token_is_accepted() -> None:
    found = handshake(META, signed=False, query=SUBSCRIBE)
    assert found is not None

    def wrong(config: dict[str, str]) -> list[str]:
        return mismatches(found.matches, finder(META, **SUBSCRIBE), config)

    assert wrong({"verify_token": "my-verify-token"}) == []
    assert wrong({"verify_token": "another"}) == ["verify_token"]
    assert wrong({}) == ["verify_token"]
    assert resolve("meta").required_config_fields == ("verify_token",)


@pytest.mark.django_db
def test_meta_gets_an_empty_answer() -> None:
    answer = send(make_endpoint("meta", verify_token="t"), WHATSAPP)  # noqa: S106 - made up

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("token", "answered"), [("my-verify-token", 200), ("another", 403)]
)
def test_the_receiver_checks_the_verify_token(token: str, answered: int) -> None:
    endpoint = make_endpoint("meta", verify_token=token)

    answer = send(endpoint, META, query=SUBSCRIBE)

    assert answer.status_code == answered
    assert (answer.content == b"1158201444") == (answered == 200)
    assert_nothing_happened()


def intent(mode: str, topic: str = FEED) -> dict[str, str]:
    lease = {"hub.lease_seconds": "864000"}
    return {"hub.mode": mode, "hub.topic": topic, "hub.challenge": "c-1", **lease}


def missing(mode: str, config: dict[str, str], topic: str = FEED) -> list[str]:
    found = handshake(WEBSUB, signed=False, query=intent(mode, topic))
    assert found is not None
    return mismatches(found.matches, finder(WEBSUB, **intent(mode, topic)), config)


def test_a_subscription_of_websub_is_confirmed() -> None:
    answer = answer_to(WEBSUB, signed=False, query=intent("subscribe"))

    assert (answer.status_code, answer.content) == (200, b"c-1")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"


def test_with_a_topic_in_the_config_only_that_topic_is_confirmed() -> None:
    assert missing("subscribe", {}) == []
    assert missing("subscribe", {"topic": FEED}) == []
    assert missing("subscribe", {"topic": FEED}, FEED + "/2") == ["topic"]


def test_unsubscribing_is_confirmed_only_if_the_config_says_so() -> None:
    assert missing("unsubscribe", {}) == ["unsubscribe_topic"]
    assert missing("unsubscribe", {"topic": FEED}) == ["unsubscribe_topic"]
    assert missing("unsubscribe", {"unsubscribe_topic": FEED}) == []


def test_a_denied_subscription_is_acknowledged() -> None:
    denied = {"hub.mode": "denied", "hub.topic": FEED, "hub.reason": "no"}

    answer = answer_to(WEBSUB, signed=False, query=denied)

    assert (answer.status_code, answer.content) == (200, b"")


def test_the_validation_of_zoom_is_answered_with_the_hashed_token() -> None:
    answer = answer_to(VALIDATION, signed=True)

    assert json.loads(answer.content) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": hex_hmac(b"qgg8vlvZRS6UYooatFL8Aw"),
    }


def test_the_validation_of_zoom_must_be_signed() -> None:
    assert handshake(VALIDATION, signed=False) is None
    assert handshake(signed("zoom"), signed=True) is None


@pytest.mark.django_db
def test_intercom_validates_the_url_by_head() -> None:
    head = Sent(slug="intercom", method="HEAD", body=b"", content_type="")

    assert answer_to(head, signed=False).status_code == 200
    assert send(make_endpoint("intercom"), head).status_code == 200
