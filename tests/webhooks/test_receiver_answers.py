from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from pytest_django import Settings

from senders.definitions import WebhookTypeDefinition, load_definition, resolve
from senders.definitions.answers import load_answer, load_matches
from senders.parsing import Finder
from webhooks.receiver import answers as answers_module
from webhooks.receiver.answers import (
    Executions,
    Filler,
    preferred_wait_seconds,
    render,
    wait_for_executions,
)
from webhooks.receiver.handshakes import (
    confirmation_url,
    first_fitting,
    handshakes_by,
    mismatches,
)

CHALLENGE = {"when": {"method": "GET", "present": [{"query": "c"}]}, "signed": False}
PING = {"when": {"method": "POST", "equals": [{"body": "/type", "is": 1}]}}


def finder(body: object = None, **query: object) -> Finder:
    return Finder(headers={"x-id": "a\r\nSet-Cookie: b"}, query=query, body=body)


def with_handshakes(*handshakes: dict[str, Any]) -> WebhookTypeDefinition:
    described = [{**handshake, "answer": {}} for handshake in handshakes]
    return load_definition({"slug": "acme", "name": "Acme", "handshakes": described})


def test_a_text_is_filled_from_the_request() -> None:
    answer = load_answer({"text": "<{query:hub.challenge}> {body:/a/0} {body:/none}"})

    response = render(
        answer, Filler(request=finder({"a": [7]}, **{"hub.challenge": "x"}))
    )

    assert response.content == b"<x> 7 "
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_single_placeholder_keeps_its_type() -> None:
    template = {"id": "{body:/id}", "all": ["{body:/id}!", 1, None], "no": "{query:x}"}

    response = render(
        load_answer({"json": template}), Filler(request=finder({"id": 5}))
    )

    assert json.loads(response.content) == {"id": 5, "all": ["5!", 1, None], "no": None}


@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_challenge_is_answered_with_its_keyed_hash(encoding: str) -> None:
    answer = load_answer({"text": f"sha256={{hmac_sha256_{encoding}:body:/token}}"})

    fill = Filler(request=finder({"token": "qgg8"}), secrets=("now", "before"))
    digest = hmac.new(b"now", b"qgg8", hashlib.sha256).digest()
    text = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()

    assert render(answer, fill).content == f"sha256={text}".encode()


def test_a_header_of_an_answer_holds_no_line_end() -> None:
    answer = load_answer({"status": 204, "headers": {"X-Echo": "{header:X-Id}"}})

    response = render(answer, Filler(request=finder()))

    assert (response.status_code, response["X-Echo"]) == (204, "aSet-Cookie: b")
    assert "Set-Cookie" not in response.headers


def test_lone_surrogates_can_be_echoed() -> None:
    fill = Filler(request=finder({"c": "\udcff"}))

    assert render(load_answer({"text": "{body:/c}"}), fill).content == b"?"
    as_json = render(load_answer({"json": {"c": "{body:/c}"}}), fill)
    assert as_json.content == b'{"c":"\\udcff"}'


def test_a_handshake_is_recognized_by_method_and_values() -> None:
    definition = with_handshakes(CHALLENGE, PING)
    challenge, ping = definition.handshakes

    def find(method: str, request: Finder, *, signed: bool) -> object:
        possible = handshakes_by(definition, method=method, is_signed=signed)
        return first_fitting(possible, request)

    assert find("GET", finder(c="1"), signed=False) is challenge
    assert find("GET", finder(), signed=False) is None
    assert find("GET", finder(c="1"), signed=True) is None
    assert find("POST", finder({"type": 1}), signed=True) is ping
    assert find("POST", finder({"type": True}), signed=True) is None
    assert find("POST", finder({"type": "1"}), signed=True) is None
    assert find("POST", finder([]), signed=True) is None


@pytest.mark.parametrize(
    ("config", "wrong"),
    [({"token": "t"}, []), ({"token": "T"}, ["token"]), ({}, ["token"])],
)
def test_a_value_of_the_config_must_be_sent(
    config: dict[str, str], wrong: list[str]
) -> None:
    matches = load_matches([{"query": "verify", "config": "token"}])

    assert mismatches(matches, finder(verify="t"), config) == wrong
    assert mismatches(matches, finder(), config) == ["token"]
    assert mismatches(matches, finder(verify=""), {"token": ""}) == ["token"]


def test_an_optional_value_must_match_if_the_config_has_it() -> None:
    matches = load_matches([{"query": "topic", "config": "topic", "optional": True}])

    assert mismatches(matches, finder(topic="a"), {}) == []
    assert mismatches(matches, finder(topic="a"), {"topic": "a"}) == []
    assert mismatches(matches, finder(topic="a"), {"topic": "b"}) == ["topic"]
    assert mismatches(matches, finder(topic=""), {"topic": ""}) == ["topic"]


def test_an_answer_can_be_xml() -> None:
    answer = load_answer({"text": "<Response/>", "content_type": "text/xml"})

    response = render(answer, Filler(request=finder()))

    assert response.content == b"<Response/>"
    assert response["Content-Type"] == "text/xml; charset=utf-8"


def confirmed_url(body: object) -> str | None:
    """Return the URL that a message of Amazon SNS asks to confirm."""
    confirmation = resolve("sns").confirmation
    assert confirmation is not None
    return confirmation_url(confirmation, finder(body))


@pytest.mark.parametrize(
    ("url", "is_confirmed"),
    [
        ("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t", 1),
        ("https://sns.eu-west-1.amazonaws.com.evil.example/?Token=t", 0),
        ("https://evil.example/sns.eu-west-1.amazonaws.com/", 0),
        ("https://u@sns.eu-west-1.amazonaws.com/", 0),
        ("https://sns.eu-west-1.amazonaws.com:8443/", 0),
        ("http://sns.eu-west-1.amazonaws.com/", 0),
        ("https://sns.eu-west-1.amazonaws.com/ x", 0),
        ("", 0),
    ],
)
def test_only_urls_of_the_sender_are_confirmed(url: str, is_confirmed: bool) -> None:
    body = {"Type": "SubscriptionConfirmation", "SubscribeURL": url}

    found = confirmed_url(body)

    assert found == (url if is_confirmed else None)


def test_a_notification_has_no_confirmation_url() -> None:
    url = "https://sns.eu-west-1.amazonaws.com/"
    body = {"Type": "Notification", "SubscribeURL": url}

    assert confirmed_url(body) is None


DONE: Executions = [{"execution_id": "e", "status": "success"}]
lookups: Iterator[Executions | None]


def find_executions(event_id: UUID) -> Executions | None:
    return next(lookups)


@pytest.fixture(autouse=True)
def _lookup_of_the_test(settings: Settings) -> None:
    settings.TICKHOOK_FINAL_EXECUTIONS = f"{__name__}.find_executions"
    answers_module._waiting_slots.cache_clear()


def set_lookups(*given: Executions | None) -> None:
    global lookups
    lookups = iter(given)


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=5", 5),
        ("respond-async, Wait = 3; foo=bar", 3),
        ('wait="7"', 7),
        ("wait=2, wait=9", 2),
        ("", 0),
        ("wait", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=٣", 0),
        ("wait=" + "9" * 5000, 0),
        ("waiting=5", 0),
    ],
)
def test_the_seconds_of_a_prefer_header(prefer: str, seconds: int) -> None:
    assert preferred_wait_seconds(prefer) == seconds


def test_waiting_ends_when_all_executions_are_decided() -> None:
    set_lookups(None, DONE)

    assert wait_for_executions(uuid4(), seconds=5) == DONE


def test_waiting_ends_after_the_preferred_time() -> None:
    set_lookups(None, None, None)

    assert wait_for_executions(uuid4(), seconds=0.06) is None


def test_without_waiting_executions_are_not_looked_up() -> None:
    set_lookups()

    assert wait_for_executions(uuid4(), seconds=0) is None


@pytest.mark.django_db(transaction=True)
def test_no_connection_is_held_while_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []
    connection.ensure_connection()
    monkeypatch.setattr(
        "time.sleep", lambda _: held.append(connection.connection is not None)
    )
    set_lookups(None, None, DONE)

    assert wait_for_executions(uuid4(), seconds=5) == DONE
    assert held == [False, False]


def test_at_most_a_quarter_of_the_threads_wait() -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold(_: float) -> None:
        inside.set()
        leave.wait(10)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", hold)
        set_lookups(None, DONE)
        first = threading.Thread(
            target=wait_for_executions, args=(uuid4(),), kwargs={"seconds": 5}
        )
        first.start()
        assert inside.wait(10)
        assert wait_for_executions(uuid4(), seconds=5) is None
        leave.set()
        first.join()
    set_lookups(DONE)
    assert wait_for_executions(uuid4(), seconds=5) == DONE
