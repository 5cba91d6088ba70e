from __future__ import annotations

import json

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    Sent,
    answer_to,
    hex_hmac,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)

TOPIC = "conversation.user.created"


def signed(sent: Sent) -> Sent:
    return sent.plus(X_Hub_Signature="sha1=" + hex_hmac(sent.body, "sha1"))


CREATED = signed(sample("intercom", TOPIC))


def test_a_topic_is_verified_and_named() -> None:
    verify(CREATED)
    assert identify(CREATED) == DeliveryIdentity(
        event_type=f"intercom.{TOPIC}",
        delivery_id="notif_a0000000-0000-4000-8000-000000000001",
    )


@pytest.mark.parametrize(
    "changed",
    [
        CREATED.but(body=CREATED.body + b" "),
        CREATED.plus(X_Hub_Signature=hex_hmac(CREATED.body, "sha1")),
        CREATED.plus(X_Hub_Signature="sha256=" + hex_hmac(CREATED.body)),
        CREATED.without("X-Hub-Signature"),
    ],
    ids=["body", "no prefix", "sha256", "no signature"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(CREATED, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


@pytest.mark.django_db
def test_the_url_is_validated_by_head() -> None:
    head = Sent(slug="intercom", method="HEAD", body=b"", content_type="")

    assert answer_to(head, signed=False).status_code == 200
    assert knock(make_endpoint("intercom"), head).status_code == 200


@pytest.mark.django_db
def test_a_further_attempt_is_a_duplicate_though_it_counts_on() -> None:
    endpoint = make_endpoint("intercom")
    again = json.loads(CREATED.body) | {"delivery_attempts": 2}
    second = signed(CREATED.but(body=json.dumps(again).encode()))

    answers = [knock(endpoint, sent) for sent in (CREATED, second)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert Event.objects.count() == 1
