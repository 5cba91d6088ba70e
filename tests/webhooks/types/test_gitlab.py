from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    NOW,
    SECRET,
    Sent,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)

KEY = b"0123456789abcdef0123456789abcdef"
SIGNING_TOKEN = "whsec_" + base64.b64encode(KEY).decode()
DELIVERY = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"


def with_headers(event: str, header: str) -> Sent:
    return sample("gitlab", event).plus(
        X_Gitlab_Event=header,
        X_Gitlab_Event_UUID="13792a34-cac6-4fda-95a8-c58e00a3954e",
        Idempotency_Key=DELIVERY,
    )


def signed(sent: Sent) -> Sent:
    content = f"{DELIVERY}.{NOW}.".encode() + sent.body
    digest = hmac.new(KEY, content, hashlib.sha256).digest()
    return sent.plus(
        webhook_id=DELIVERY,
        webhook_timestamp=str(NOW),
        webhook_signature="v1," + base64.b64encode(digest).decode(),
    )


PUSH = with_headers("push", "Push Hook")
SIGNED = signed(PUSH)
WITH_TOKEN = PUSH.plus(X_Gitlab_Token=SECRET)


@pytest.mark.parametrize(
    ("event", "header"),
    [("push", "Push Hook"), ("merge_request", "Merge Request Hook")],
)
def test_both_ways_of_proof_are_taken_and_named_alike(event: str, header: str) -> None:
    sent = with_headers(event, header)
    both = signed(sent), sent.plus(X_Gitlab_Token=SECRET)

    verify(both[0], secret=SIGNING_TOKEN)
    verify(both[1])
    assert {identify(one) for one in both} == {
        DeliveryIdentity(event_type=f"gitlab.{event}", delivery_id=DELIVERY)
    }


@pytest.mark.parametrize(
    "changed",
    [
        SIGNED.but(body=SIGNED.body + b" "),
        SIGNED.plus(webhook_timestamp=str(NOW + 1)),
        SIGNED.plus(webhook_id="another"),
        SIGNED.plus(webhook_signature="v1," + base64.b64encode(b"0" * 32).decode()),
        SIGNED.without("webhook-id"),
        SIGNED.without("webhook-timestamp"),
        SIGNED.without("webhook-signature"),
    ],
    ids=["body", "time", "id", "signature", "no id", "no time", "no signature"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed, secret=SIGNING_TOKEN)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_stale_or_early_signature_is_refused(seconds: int) -> None:
    cause = refusal(SIGNED, secret=SIGNING_TOKEN, now=NOW + seconds)

    assert cause == FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE


def test_another_token_is_refused() -> None:
    assert refusal(WITH_TOKEN, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up
    assert refusal(PUSH) == FailureReason.MISSING_HEADER


def test_a_signing_token_never_counts_as_the_token_itself() -> None:
    leaked = PUSH.plus(X_Gitlab_Token=SIGNING_TOKEN)

    refusal(leaked, secret=SIGNING_TOKEN)


def test_the_uuid_of_a_chain_of_events_tells_no_deliveries_apart() -> None:
    """Events that one webhook sets off in another share it."""
    assert identify(PUSH.without("Idempotency-Key")).delivery_id is None


def test_a_hook_with_a_template_of_its_own_is_named_by_its_header() -> None:
    own = PUSH.but(body=b'{"text": "Pushed"}')

    assert identify(own).event_type == "gitlab.Push_Hook"


@pytest.mark.django_db
def test_the_token_is_not_kept() -> None:
    assert knock(make_endpoint("gitlab"), WITH_TOKEN).status_code == 200

    kept = Event.objects.get().request
    assert SECRET not in json.dumps(kept)
    assert "x-gitlab-token" not in kept["headers"]
