from __future__ import annotations

import json

import pytest

from events.models import Event
from senders.parsing import DeliveryIdentity
from senders.signatures import FailureReason
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.builders import (
    SECRET,
    Sent,
    as_json,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)
from webhooks.endpoints.lifecycle import InvalidEndpoint

REPLY = {"method": "sendMessage", "text": "On it"}


def signed(sent: Sent, token: str = SECRET) -> Sent:
    return sent.plus(X_Telegram_Bot_Api_Secret_Token=token)


MESSAGE = signed(sample("telegram", "message"))


@pytest.mark.parametrize(
    ("event", "delivery_id"),
    [("message", "700100200"), ("callback_query", "700100201")],
)
def test_each_kind_is_verified_and_named(event: str, delivery_id: str) -> None:
    sent = signed(sample("telegram", event))

    verify(sent)
    assert identify(sent) == DeliveryIdentity(
        event_type=f"telegram.{event}", delivery_id=delivery_id
    )


def test_a_kind_that_is_not_known_yet_is_taken() -> None:
    sent = as_json("telegram", update_id=1, hologram={})

    assert identify(sent).event_type == "telegram.unknown"


def test_another_token_is_refused() -> None:
    assert refusal(signed(MESSAGE, SECRET + "x")) == FailureReason.NO_MATCH
    without = MESSAGE.without("X-Telegram-Bot-Api-Secret-Token")
    assert refusal(without) == FailureReason.MISSING_HEADER


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["with space", "a.b", "ä", "a" * 257, "\udcff"])
def test_a_secret_that_telegram_would_not_take_is_refused(token: str) -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        make_endpoint("telegram", secret=token)

    [fault] = refused.value.faults
    assert fault.pointer == "/webhook_config/secret"


@pytest.mark.django_db
def test_an_update_is_answered_with_nothing_and_no_token_is_kept() -> None:
    answer = knock(make_endpoint("telegram"), MESSAGE)

    assert (answer.status_code, answer.content) == (200, b"")
    assert SECRET not in json.dumps(Event.objects.get().request)


@pytest.mark.django_db
def test_the_answer_can_call_a_method() -> None:  # R211
    answer = knock(make_endpoint("telegram", reply=REPLY), MESSAGE)

    assert answer.json() == {**REPLY, "chat_id": 100200}


@pytest.mark.django_db
def test_a_forged_update_is_refused_and_not_recorded() -> None:  # R215
    answer = knock(make_endpoint("telegram"), signed(MESSAGE, "guess"))

    assert answer.status_code == 401
    assert answer.json()["error_code"] == "invalid_signature"
    assert_nothing_happened()
