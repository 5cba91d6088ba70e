"""Slack, Telegram and Discord: challenges, and answers that the sender shows."""

from __future__ import annotations

import json
import time

import pytest
from pytest_django import DjangoAssertNumQueries

from events.models import Event
from tests.senders.requests import FORM, NOW, SECRET, Sent, as_json, identify
from tests.senders.table import SENDERS, signed, unsigned
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.receiving import answer_to, handshake, make_endpoint, send
from webhooks.endpoints.lifecycle import InvalidEndpoint

[SLACK] = SENDERS["slack"].forms.values()
[DISCORD] = SENDERS["discord"].forms.values()
CHALLENGE = as_json("slack", type="url_verification", challenge="3eZb", token="x")  # noqa: S106 - Slack's word
PING = as_json("discord", id="1", type=1, token="x", version=1)  # noqa: S106 - Discord's word
COMMAND = signed("discord", "application_command")
AUTHORIZED = signed("discord", "APPLICATION_AUTHORIZED")
MESSAGE = signed("telegram", "message")
REPLY = {"method": "sendMessage", "text": "On it"}


def slack_command() -> Sent:
    """Return a command that is signed now."""
    command = unsigned("slack", SENDERS["slack"].events[1])
    return SLACK.sign(command.but(now=time.time()))


def test_a_signed_challenge_of_slack_is_answered() -> None:
    answer = answer_to(CHALLENGE, signed=True)

    assert answer.status_code == 200
    assert json.loads(answer.content) == {"challenge": "3eZb"}
    assert handshake(CHALLENGE, signed=False) is None


def test_a_certificate_check_of_slack_is_not_a_command() -> None:
    by_get = Sent(slug="slack", method="GET", body=b"")
    by_post = Sent(slug="slack", body=b"ssl_check=1&token=x", content_type=FORM)

    assert answer_to(by_get, signed=False, query={"ssl_check": "1"}).content == b""
    assert answer_to(by_post, signed=True).status_code == 200
    assert handshake(by_post, signed=False) is None


@pytest.mark.django_db
def test_slack_gets_an_empty_answer() -> None:
    answer = send(make_endpoint("slack"), slack_command())

    assert (answer.status_code, answer.content) == (200, b"")
    assert Event.objects.get().type == "slack.slash_command"


@pytest.mark.django_db
def test_a_configured_answer_needs_no_further_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    endpoint = make_endpoint("slack", reply={"text": "On it"})
    sent = slack_command()

    with django_assert_num_queries(2):
        assert send(endpoint, sent).status_code == 200


@pytest.mark.django_db
def test_a_command_of_slack_can_be_answered_with_a_message() -> None:  # R212
    reply = {"text": "One moment", "response_type": "in_channel"}
    endpoint = make_endpoint("slack", reply={**reply, "replace_original": True})

    answer = send(endpoint, slack_command())

    assert answer.json() == {**reply, "replace_original": True}


@pytest.mark.django_db
def test_the_receiver_answers_a_challenge_and_does_not_record_it() -> None:  # R216
    endpoint = make_endpoint("slack")

    answer = send(endpoint, SLACK.sign(CHALLENGE.but(now=time.time())))

    assert answer.json() == {"challenge": "3eZb"}
    assert send(endpoint, CHALLENGE).status_code == 401
    assert_nothing_happened()


def test_an_unknown_kind_of_update_of_telegram_is_accepted() -> None:
    sent = as_json("telegram", update_id=1, hologram={})

    assert identify(sent).event_type == "telegram.unknown"


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["with space", "a.b", "ä", "a" * 257, "\udcff"])
def test_a_secret_that_telegram_cannot_store_is_rejected(token: str) -> None:
    with pytest.raises(InvalidEndpoint) as raised:
        make_endpoint("telegram", secret=token)

    [fault] = raised.value.faults
    assert fault.pointer == "/webhook_config/secret"


@pytest.mark.django_db
def test_telegram_gets_an_empty_answer() -> None:
    answer = send(make_endpoint("telegram"), MESSAGE)

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.django_db
def test_the_answer_to_telegram_can_call_a_method() -> None:  # R211
    answer = send(make_endpoint("telegram", reply=REPLY), MESSAGE)

    assert answer.json() == {**REPLY, "chat_id": 100200}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("event", "chat_id"),
    [
        ("edited_message", 100200),
        ("channel_post", -1001000200300),
        ("callback_query", 100200),
    ],
)
def test_the_chat_of_the_answer_is_found_in_each_update(
    event: str, chat_id: int
) -> None:  # case 39
    update = signed("telegram", event)

    answer = send(make_endpoint("telegram", reply=REPLY), update)

    assert answer.json() == {**REPLY, "chat_id": chat_id}


@pytest.mark.django_db
def test_without_a_chat_there_is_no_reply_unless_it_names_one() -> None:
    query = signed("telegram", "inline_query")
    named = {**REPLY, "chat_id": 5}

    silent = send(make_endpoint("telegram", reply=REPLY), query)
    spoken = send(make_endpoint("telegram", reply=named), query)

    assert (silent.status_code, silent.content) == (200, b"")
    assert spoken.json() == named


@pytest.mark.django_db
def test_a_forged_update_of_telegram_is_rejected_and_not_recorded() -> None:  # R215
    forged = MESSAGE.plus(X_Telegram_Bot_Api_Secret_Token="guess")  # noqa: S106 - made up

    answer = send(make_endpoint("telegram"), forged)

    assert answer.status_code == 401
    assert answer.json()["error_code"] == "invalid_signature"
    assert_nothing_happened()


def test_both_kinds_of_ping_of_discord_are_answered() -> None:
    interactions = answer_to(PING, signed=True)
    events = answer_to(as_json("discord", version=1, type=0), signed=True)

    assert json.loads(interactions.content) == {"type": 1}
    assert (events.status_code, events.content) == (204, b"")
    assert handshake(PING, signed=False) is None
    assert handshake(AUTHORIZED, signed=True) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "answered"),
    [
        (2, {"type": 5}),
        (3, {"type": 6}),
        (4, {"type": 8, "data": {"choices": []}}),
        (5, {"type": 5}),
    ],
)
def test_interactions_of_discord_are_deferred(
    kind: int, answered: dict[str, object]
) -> None:
    sent = DISCORD.sign(as_json("discord", id=str(kind), type=kind, token="x"))  # noqa: S106 - as above

    answer = send(make_endpoint("discord", secret=DISCORD.secret), sent)

    assert (answer.status_code, answer.json()) == (200, answered)
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_an_interaction_of_discord_can_be_answered_with_a_message() -> None:
    reply = {"data": {"content": "On it"}}
    endpoint = make_endpoint("discord", secret=DISCORD.secret, reply=reply)

    assert send(endpoint, COMMAND).json() == {"type": 4, **reply}


@pytest.mark.django_db
def test_a_webhook_event_of_discord_gets_an_empty_answer() -> None:
    answer = send(make_endpoint("discord", secret=DISCORD.secret), AUTHORIZED)

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.django_db
@pytest.mark.parametrize("sent", [PING, COMMAND], ids=["ping", "command"])
def test_a_deliberately_wrong_signature_of_discord_gets_401(sent: Sent) -> None:
    forged = DISCORD.sign(sent.but(now=NOW)).plus(X_Signature_Ed25519="ab" * 64)

    answer = send(make_endpoint("discord", secret=DISCORD.secret), forged)

    assert answer.status_code == 401
    assert_nothing_happened()
    assert SECRET not in answer.content.decode()
