from __future__ import annotations

from urllib.parse import urlencode

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.types.builders import (
    FORM,
    Sent,
    hex_hmac,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)


def signed(sent: Sent, event: str, forge: str = "Gitea") -> Sent:
    return sent.plus(
        **{
            f"X_{forge}_Event": event,
            f"X_{forge}_Delivery": "a3ac4c9b",
            f"X_{forge}_Signature": hex_hmac(sent.body),
        }
    )


PUSH = signed(sample("gitea", "push"), "push")


@pytest.mark.parametrize("forge", ["Gitea", "Forgejo"])
@pytest.mark.parametrize("event", ["push", "pull_request"])
def test_both_forges_are_verified_and_named(forge: str, event: str) -> None:
    sent = signed(sample("gitea", event), event, forge)

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"gitea.{event}", delivery_id="a3ac4c9b"
    )


@pytest.mark.parametrize(
    "changed",
    [
        PUSH.but(body=PUSH.body + b" "),
        PUSH.plus(X_Gitea_Signature="00" * 32),
        PUSH.without("X-Gitea-Signature"),
    ],
    ids=["body", "signature", "no signature"],
)
def test_what_is_signed_can_not_be_changed(changed: Sent) -> None:
    refusal(changed)


def test_another_secret_is_refused() -> None:
    assert refusal(PUSH, secret="another") == FailureReason.NO_MATCH  # noqa: S106 - made up


@pytest.mark.django_db
def test_a_payload_in_a_form_is_taken() -> None:
    form = urlencode({"payload": PUSH.body.decode()}).encode()
    sent = signed(PUSH.but(body=form, content_type=FORM), "push")

    assert knock(make_endpoint("gitea"), sent).status_code == 200
    assert Event.objects.get().type == "gitea.push"
