from __future__ import annotations

import pytest

from senders.definitions import resolve
from senders.signatures import FailureReason
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.builders import (
    Sent,
    answer_to,
    finder,
    handshake,
    hex_hmac,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)
from webhooks.receiver.handshakes import mismatches

MESSAGES = "whatsapp_business_account.messages"
DAY = 86_400
SUBSCRIBE = {
    "hub.mode": "subscribe",
    "hub.challenge": "1158201444",
    "hub.verify_token": "my-verify-token",
}
GET = Sent(slug="meta", method="GET", body=b"")


def signed(sent: Sent) -> Sent:
    return sent.plus(X_Hub_Signature_256="sha256=" + hex_hmac(sent.body))


WHATSAPP = signed(sample("meta", MESSAGES))


@pytest.mark.parametrize("event", [MESSAGES, "page"])
def test_each_kind_is_verified_and_named(event: str) -> None:
    sent = signed(sample("meta", event))

    verify(sent)
    assert identify(sent).event_type == f"meta.{event}"


def test_equal_bytes_of_one_week_are_one_delivery() -> None:
    status = WHATSAPP.but(body=WHATSAPP.body.replace(b"EXAMPLE0001", b"EXAMPLE0002"))
    monday = 7 * DAY * 3000

    first = identify(WHATSAPP, now=monday)
    assert first == identify(WHATSAPP, now=monday + 7 * DAY - 1)
    assert first.delivery_id != identify(status, now=monday).delivery_id
    assert first.delivery_id != identify(WHATSAPP, now=monday + 7 * DAY).delivery_id


@pytest.mark.parametrize(
    "changed",
    [
        WHATSAPP.but(body=WHATSAPP.body + b" "),
        WHATSAPP.plus(X_Hub_Signature_256=hex_hmac(WHATSAPP.body)),
        WHATSAPP.without("X-Hub-Signature-256"),
        WHATSAPP.without("X-Hub-Signature-256").plus(
            X_Hub_Signature="sha1=" + hex_hmac(WHATSAPP.body, "sha1")
        ),
    ],
    ids=["body", "no prefix", "no signature", "sha1"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(WHATSAPP, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


def test_the_challenge_is_echoed_as_text() -> None:
    answer = answer_to(GET, signed=False, query=SUBSCRIBE)

    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert handshake(GET, signed=False, query={"hub.mode": "subscribe"}) is None


def test_only_the_own_verify_token_is_taken() -> None:
    found = handshake(GET, signed=False, query=SUBSCRIBE)
    assert found is not None

    def wrong(config: dict[str, str]) -> list[str]:
        return mismatches(found.matches, finder(GET, **SUBSCRIBE), config)

    assert wrong({"verify_token": "my-verify-token"}) == []
    assert wrong({"verify_token": "another"}) == ["verify_token"]
    assert wrong({}) == ["verify_token"]
    assert resolve("meta").required_config_fields == ("verify_token",)


@pytest.mark.django_db
def test_a_delivery_is_answered_with_200() -> None:
    answer = knock(make_endpoint("meta", verify_token="t"), WHATSAPP)  # noqa: S106 - made up

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("token", "answered"), [("my-verify-token", 200), ("another", 403)]
)
def test_the_door_confirms_by_the_verify_token(token: str, answered: int) -> None:
    endpoint = make_endpoint("meta", verify_token=token)

    answer = knock(endpoint, GET, query=SUBSCRIBE)

    assert answer.status_code == answered
    assert (answer.content == b"1158201444") == (answered == 200)
    assert_nothing_happened()
