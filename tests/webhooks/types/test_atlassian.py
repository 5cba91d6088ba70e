from __future__ import annotations

import pytest

from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.builders import (
    Sent,
    answer_to,
    as_json,
    handshake,
    hex_hmac,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)

REQUEST_ID = "{1f0a7a8c-1c77-4f6d-8d3c-2f1f3d0f9d11}"
TEST_OF_DATA_CENTER = as_json("bitbucket", test=True).plus(
    X_Event_Key="diagnostics:ping"
)


def signed(sent: Sent) -> Sent:
    return sent.plus(X_Hub_Signature="sha256=" + hex_hmac(sent.body))


def of_bitbucket(event: str) -> Sent:
    sent = signed(sample("bitbucket", event.replace(":", "_")))
    return sent.plus(X_Event_Key=event, X_Request_UUID=REQUEST_ID)


def of_jira(event: str) -> Sent:
    return signed(sample("jira", event)).plus(
        X_Atlassian_Webhook_Identifier="6f1c2a90-0b1c-4b7c-a1df-0f3b2e8c7d55"
    )


PUSH = of_bitbucket("repo:push")
CREATED = of_jira("issue_created")


@pytest.mark.parametrize("event", ["repo:push", "pullrequest:created"])
def test_an_event_of_bitbucket_is_verified_and_named(event: str) -> None:
    sent = of_bitbucket(event)

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"bitbucket.{event}", delivery_id=REQUEST_ID
    )
    again = sent.plus(X_Attempt_Number="2")
    assert identify(again) == identify(sent)


def test_data_center_names_its_requests_otherwise() -> None:
    sent = PUSH.without("X-Request-UUID").plus(X_Request_Id="r-1")

    assert identify(sent).delivery_id == "r-1"


@pytest.mark.parametrize("event", ["issue_created", "comment_created"])
def test_an_event_of_jira_is_verified_and_named(event: str) -> None:
    sent = of_jira(event)

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"jira.{event}",
        delivery_id="6f1c2a90-0b1c-4b7c-a1df-0f3b2e8c7d55",
    )


def test_an_event_of_jira_that_has_no_shorter_name_keeps_its_own() -> None:
    sent = as_json("jira", webhookEvent="jira:future")

    assert identify(sent).event_type == "jira.jira:future"


@pytest.mark.parametrize("sent", [PUSH, CREATED], ids=["bitbucket", "jira"])
def test_what_is_signed_can_not_be_changed(sent: Sent) -> None:
    refusal(sent.but(body=sent.body + b" "))
    refusal(sent.plus(X_Hub_Signature="sha256=" + "00" * 32))
    refusal(sent.plus(X_Hub_Signature="sha1=" + hex_hmac(sent.body, "sha1")))
    assert refusal(sent, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up
    assert refusal(sent.without("X-Hub-Signature")) == FailureReason.MISSING_HEADER


def test_the_test_of_data_center_is_answered_though_it_is_not_signed() -> None:
    answer = answer_to(TEST_OF_DATA_CENTER, signed=False)

    assert (answer.status_code, answer.content) == (200, b"")
    assert handshake(PUSH, signed=False) is None


@pytest.mark.django_db
def test_an_unsigned_test_leaves_no_trace_and_an_unsigned_push_is_refused() -> None:
    endpoint = make_endpoint("bitbucket")

    assert knock(endpoint, TEST_OF_DATA_CENTER).status_code == 200
    assert knock(endpoint, PUSH.without("X-Hub-Signature")).status_code == 401
    assert_nothing_happened()
