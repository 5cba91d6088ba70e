from __future__ import annotations

import json
import time

import pytest
from pytest_django import DjangoAssertNumQueries

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.builders import (
    FORM,
    NOW,
    Sent,
    answer_to,
    as_json,
    assert_taken_within,
    handshake,
    hex_hmac,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)

EVENTS = {
    "message": "Ev0ANA0001",
    "slash_command": "1001.2002.forecast",
    "block_actions": "1001.2002.actions",
}
CHALLENGE = as_json("slack", type="url_verification", challenge="3eZb", token="x")  # noqa: S106 - what Slack calls it


def signed(sent: Sent, at: int = NOW) -> Sent:
    signature = "v0=" + hex_hmac(f"v0:{at}:".encode() + sent.body)
    return sent.plus(X_Slack_Request_Timestamp=str(at), X_Slack_Signature=signature)


COMMAND = signed(sample("slack", "slash_command"))


@pytest.mark.parametrize(("event", "delivery_id"), EVENTS.items())
def test_each_kind_is_verified_and_named(event: str, delivery_id: str) -> None:
    sent = signed(sample("slack", event))

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"slack.{event}", delivery_id=delivery_id
    )


@pytest.mark.parametrize(
    "changed",
    [
        COMMAND.but(body=COMMAND.body + b"+"),
        COMMAND.plus(X_Slack_Request_Timestamp=str(NOW + 1)),
        COMMAND.plus(X_Slack_Signature=COMMAND.headers["X-Slack-Signature"][3:]),
        COMMAND.without("X-Slack-Signature"),
        COMMAND.without("X-Slack-Request-Timestamp"),
    ],
    ids=["body", "timestamp", "version", "no signature", "no timestamp"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(COMMAND, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


def test_five_minutes_either_way_are_taken() -> None:
    assert_taken_within(300, COMMAND)


def test_a_signed_challenge_is_answered() -> None:
    answer = answer_to(CHALLENGE, signed=True)

    assert answer.status_code == 200
    assert json.loads(answer.content) == {"challenge": "3eZb"}
    assert handshake(CHALLENGE, signed=False) is None


def test_a_check_of_the_certificate_is_no_command() -> None:
    by_get = Sent(slug="slack", method="GET", body=b"")
    by_post = Sent(slug="slack", body=b"ssl_check=1&token=x", content_type=FORM)

    assert answer_to(by_get, signed=False, query={"ssl_check": "1"}).content == b""
    assert answer_to(by_post, signed=True).status_code == 200
    assert handshake(by_post, signed=False) is None


@pytest.mark.django_db
def test_an_event_is_answered_with_nothing() -> None:
    answer = knock(make_endpoint("slack"), signed(COMMAND, int(time.time())))

    assert (answer.status_code, answer.content) == (200, b"")
    assert Event.objects.get().type == "slack.slash_command"


@pytest.mark.django_db
def test_an_answer_of_ones_own_costs_no_further_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    endpoint = make_endpoint("slack", reply={"text": "On it"})
    sent = signed(COMMAND, int(time.time()))

    with django_assert_num_queries(2):
        assert knock(endpoint, sent).status_code == 200


@pytest.mark.django_db
def test_a_command_can_be_answered_with_a_message() -> None:  # R212
    reply = {"text": "One moment", "response_type": "in_channel"}
    endpoint = make_endpoint("slack", reply={**reply, "replace_original": True})

    answer = knock(endpoint, signed(COMMAND, int(time.time())))

    assert answer.json() == {**reply, "replace_original": True}


@pytest.mark.django_db
def test_a_challenge_at_the_door_is_answered_and_not_recorded() -> None:
    endpoint = make_endpoint("slack")

    answer = knock(endpoint, signed(CHALLENGE, int(time.time())))

    assert answer.json() == {"challenge": "3eZb"}
    assert knock(endpoint, CHALLENGE).status_code == 401
    assert_nothing_happened()
