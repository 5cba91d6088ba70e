from __future__ import annotations

import json

import pytest
from django.test import RequestFactory

from events.models import Event
from senders.definitions import resolve
from senders.parsing import Identity
from senders.parsing.batches import split_array
from senders.signatures import Cause
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.builders import (
    SECRET,
    Sent,
    answer_to,
    handshake,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)
from webhooks.models import RejectionCount, WebhookEndpoint
from webhooks.receiver.request import Delivery
from webhooks.rejections.recording import flush_rejections

STATION = "https://weather.example/stations/porto"
BATCH_TYPE = "application/cloudevents-batch+json"
OPTIONS = Sent(slug="cloudevents", method="OPTIONS", body=b"", content_type="")


def with_token(sent: Sent, token: str = SECRET) -> Sent:
    return sent.plus(Authorization=f"Bearer {token}")


STRUCTURED = with_token(sample("cloudevents", "example.weather.changed"))
BINARY = with_token(sample("cloudevents", "example.weather.binary"))
BATCH = STRUCTURED.but(
    body=b"[" + STRUCTURED.body + b",\n" + STRUCTURED.body + b"]",
    content_type=BATCH_TYPE,
)


@pytest.mark.parametrize(
    ("sent", "name", "number"),
    [(STRUCTURED, "changed", "0001"), (BINARY, "binary", "0002")],
)
def test_both_modes_are_verified_and_named(sent: Sent, name: str, number: str) -> None:
    verify(sent)
    assert identify(sent) == Identity(
        event_type=f"cloudevents.example.weather.{name}",
        delivery_id=f"{STATION}\nreading-{number}",
    )


def test_the_same_id_of_another_source_is_another_event() -> None:
    other = BINARY.plus(ce_source="https://weather.example/stations/faro")

    assert identify(other).delivery_id != identify(BINARY).delivery_id


def test_a_batch_is_named_one_by_one() -> None:
    named = [
        identify(STRUCTURED.but(body=item)).delivery_id
        for item in split_array(BATCH.body)
    ]

    assert named == [f"{STATION}\nreading-0001"] * 2


@pytest.mark.parametrize("sent", [BATCH, STRUCTURED], ids=["batch", "structured"])
def test_a_batch_is_known_by_its_content_type(sent: Sent) -> None:
    delivery = Delivery(
        endpoint=WebhookEndpoint(type="cloudevents"),
        definition=resolve("cloudevents"),
        http=RequestFactory().post("/", sent.body, content_type=sent.content_type),
        method="POST",
        url=sent.url,
    )

    assert delivery.is_batch == (sent is BATCH)


@pytest.mark.parametrize(
    "changed",
    [
        with_token(BINARY, SECRET + "x"),
        BINARY.plus(Authorization=SECRET),
        BINARY.plus(Authorization=f"Basic {SECRET}"),
    ],
    ids=["token", "no scheme", "another scheme"],
)
def test_another_token_is_refused(changed: Sent) -> None:
    refusal(changed)


def test_a_missing_token_is_refused_where_there_is_a_secret() -> None:
    assert refusal(BINARY.without("Authorization")) == Cause.MISSING_HEADER


@pytest.mark.django_db
def test_an_event_is_accepted_without_a_body_and_no_token_is_kept() -> None:
    answer = knock(make_endpoint("cloudevents"), BINARY)

    assert (answer.status_code, answer.content) == (202, b"")
    assert SECRET not in json.dumps(Event.objects.get().request)


@pytest.mark.django_db
def test_an_endpoint_can_do_without_a_token() -> None:
    open_to_all = make_endpoint("cloudevents", secret=False)
    unsigned = BINARY.without("Authorization")

    assert knock(open_to_all, unsigned).status_code == 202


@pytest.mark.django_db
def test_a_new_endpoint_takes_nothing_without_its_token() -> None:
    answer = knock(
        make_endpoint("cloudevents", secret=None), BINARY.without("Authorization")
    )

    assert answer.status_code == 401
    assert_nothing_happened()


def test_a_sender_that_asks_first_is_let_in() -> None:
    asking = OPTIONS.plus(
        WebHook_Request_Origin="events.example", WebHook_Request_Rate="120"
    )

    answer = answer_to(asking, signed=False)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["WebHook-Allowed-Origin"] == "events.example"
    assert answer["WebHook-Allowed-Rate"] == "*"
    assert handshake(OPTIONS, signed=False) is None


@pytest.mark.django_db
def test_the_door_lets_it_in_and_says_by_which_method() -> None:
    asking = OPTIONS.plus(WebHook_Request_Origin="events.example")

    answer = knock(make_endpoint("cloudevents"), asking)

    assert answer.status_code == 200
    assert answer["WebHook-Allowed-Origin"] == "events.example"
    assert answer["Allow"] == "POST, OPTIONS"
    assert_nothing_happened()


@pytest.mark.django_db
def test_each_item_of_a_batch_is_an_event() -> None:
    other = STRUCTURED.body.replace(b"reading-0001", b"reading-0003")
    batch = BATCH.but(body=b"[" + STRUCTURED.body + b"," + other + b"]")

    answer = knock(make_endpoint("cloudevents"), batch)

    assert answer.status_code == 200
    ids = Event.objects.order_by("id").values_list("delivery_id", flat=True)
    assert list(ids) == [f"{STATION}\nreading-0001", f"{STATION}\nreading-0003"]


@pytest.mark.django_db
def test_a_batch_does_not_multiply_what_is_sent_once() -> None:
    batch = BATCH.but(body=b"[" + b",".join([STRUCTURED.body] * 2500) + b"]")

    answer = knock(make_endpoint("cloudevents"), batch.plus(X_Long="x" * 8000))

    assert answer.status_code == 413
    assert json.loads(answer.content)["error_code"] == "batch_too_large"
    assert_nothing_happened()


@pytest.mark.django_db
def test_a_batch_that_comes_again_is_counted_as_a_duplicate() -> None:
    endpoint = make_endpoint("cloudevents")
    batch = BATCH.but(body=b"[" + STRUCTURED.body + b"]")

    answers = [json.loads(knock(endpoint, batch).content) for _ in range(2)]
    flush_rejections()

    told = [{event["status"] for event in answer["events"]} for answer in answers]
    assert told == [{"accepted"}, {"duplicate"}]
    counted = RejectionCount.objects.get()
    assert (counted.cause, counted.count) == ("duplicate", 1)
