"""CloudEvents, SendGrid and HubSpot, which deliver batches, and Twilio."""

from __future__ import annotations

import json

import pytest

from events.models import Event
from senders.definitions import resolve
from senders.parsing import DeliveryIdentity, parse_body
from senders.parsing.bodies import split_array
from tests.senders.requests import SECRET, Sent, as_json, failure, identify
from tests.senders.table import SENDERS, signed, unsigned
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.receiving import answer_to, handshake, make_endpoint, send
from webhooks.endpoints.urls import webhook_url
from webhooks.models import RejectionCount
from webhooks.receiver import record
from webhooks.rejections.recording import flush_rejections

STATION = "https://weather.example/stations/porto"
OPTIONS = Sent(slug="cloudevents", method="OPTIONS", body=b"", content_type="")
STRUCTURED = signed("cloudevents", "example.weather.changed")
BINARY = signed("cloudevents", "example.weather.binary")
BATCH = STRUCTURED.but(
    body=b"[" + STRUCTURED.body + b",\n" + STRUCTURED.body + b"]",
    content_type="application/cloudevents-batch+json",
)
SENDGRID = signed("sendgrid")


def is_batch(sent: Sent) -> bool:
    return record.is_batch(
        resolve(sent.slug),
        content_type=sent.content_type,
        parsed=parse_body(sent.body, sent.content_type),
    )


def test_a_batch_is_recognized_by_its_content_type_or_by_its_array() -> None:
    assert is_batch(BATCH)
    assert not is_batch(STRUCTURED)
    assert is_batch(SENDGRID)
    assert not is_batch(SENDGRID.but(body=b'{"event": "open"}'))


def test_each_item_of_sendgrid_is_identified() -> None:
    items = [identify(SENDGRID.but(body=item)) for item in split_array(SENDGRID.body)]

    assert items == [
        DeliveryIdentity(
            event_type="sendgrid.delivered", delivery_id="ZGVsaXZlcmVkLWFuYS0wMDAx"
        ),
        DeliveryIdentity(event_type="sendgrid.open", delivery_id="b3Blbi1hbmEtMDAwMg"),
    ]


@pytest.mark.django_db
def test_each_event_of_sendgrid_is_recorded_once() -> None:
    secret = SENDERS["sendgrid"].forms[""].secret
    endpoint = make_endpoint("sendgrid", secret=secret)

    answers = [send(endpoint, SENDGRID) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    types = Event.objects.order_by("id").values_list("type", flat=True)
    assert list(types) == ["sendgrid.delivered", "sendgrid.open"]


@pytest.mark.parametrize("slug", ["hubspot-v1", "hubspot-v3"])
def test_each_item_of_hubspot_is_identified(slug: str) -> None:
    sent = signed(slug)

    assert [identify(sent.but(body=item)) for item in split_array(sent.body)] == [
        DeliveryIdentity(
            event_type=f"{slug}.contact.propertyChange",
            delivery_id="30002\n1000200030\n1795000000123\n400500",
        ),
        DeliveryIdentity(
            event_type=f"{slug}.contact.creation",
            delivery_id="30001\n1000200031\n1795000000456\n400501",
        ),
    ]


def test_a_further_attempt_of_hubspot_has_the_same_id() -> None:
    sent = signed("hubspot-v3")
    first = sent.but(body=split_array(sent.body)[0])
    without_object = as_json("hubspot-v3", subscriptionId=1, eventId=2, occurredAt=3)

    assert identify(first.with_fields(attemptNumber=1)) == identify(first)
    assert resolve("hubspot-v3").body_varies
    assert identify(without_object).delivery_id == "1\n2\n3"


@pytest.mark.parametrize("slug", ["hubspot-v2", "hubspot-v3"])
def test_a_workflow_of_hubspot_is_signed_by_version_3_too(slug: str) -> None:
    workflow = unsigned("hubspot-v2", SENDERS["hubspot-v2"].events[0]).but(slug=slug)
    sent = SENDERS["hubspot-v3"].forms[""].sign(workflow)

    sent.verify()
    assert identify(sent) == DeliveryIdentity(
        event_type=f"{slug}.workflow", delivery_id="ap-1002003-400500-7-0"
    )


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b"MessageStatus=read", "message.read"),
        (b"RecordingStatus=completed&CallStatus=in-progress", "recording.completed"),
        (b"StatusCallbackEvent=participant-join", "participant-join"),
        (b"EventType=onMessageAdded", "onMessageAdded"),
        (b"AccountSid=AC1", "callback"),
    ],
)
def test_callbacks_of_twilio_are_named_by_their_status(body: bytes, event: str) -> None:
    assert identify(signed("twilio").but(body=body)).event_type == f"twilio.{event}"


@pytest.mark.django_db
def test_twilio_is_answered_with_twiml_that_does_nothing() -> None:
    endpoint = make_endpoint("twilio")
    event, form = SENDERS["twilio"].events[0], SENDERS["twilio"].forms[""]
    sent = form.sign(unsigned("twilio", event).but(url=webhook_url(endpoint)))

    answer = send(endpoint, sent)

    assert (answer.status_code, answer.content) == (200, b"<Response/>")
    assert answer["Content-Type"] == "text/xml; charset=utf-8"
    assert Event.objects.get().delivery_id == event.delivery_id


def test_the_same_id_of_another_source_is_another_event() -> None:
    other = BINARY.plus(ce_source="https://weather.example/stations/faro")

    assert identify(other).delivery_id != identify(BINARY).delivery_id


@pytest.mark.parametrize("value", [SECRET, f"Basic {SECRET}"])
def test_a_token_of_cloudevents_needs_the_bearer_scheme(value: str) -> None:
    failure(BINARY.plus(Authorization=value))


@pytest.mark.django_db
def test_cloudevents_gets_an_empty_202() -> None:
    answer = send(make_endpoint("cloudevents"), BINARY)

    assert (answer.status_code, answer.content) == (202, b"")
    assert SECRET not in json.dumps(Event.objects.get().request)


@pytest.mark.django_db
@pytest.mark.parametrize(("secret", "answered"), [(False, 202), (None, 401)])
def test_a_token_is_required_unless_the_endpoint_has_no_secret(
    secret: bool | None, answered: int
) -> None:
    endpoint = make_endpoint("cloudevents", secret=secret)

    answer = send(endpoint, BINARY.without("Authorization"))

    assert answer.status_code == answered
    if answered == 401:
        assert_nothing_happened()


def test_a_sender_that_asks_for_permission_gets_it() -> None:
    asking = OPTIONS.plus(
        WebHook_Request_Origin="events.example", WebHook_Request_Rate="120"
    )

    answer = answer_to(asking, signed=False)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["WebHook-Allowed-Origin"] == "events.example"
    assert answer["WebHook-Allowed-Rate"] == "*"
    assert handshake(OPTIONS, signed=False) is None


@pytest.mark.django_db
def test_the_receiver_gives_permission_and_names_the_methods() -> None:
    asking = OPTIONS.plus(WebHook_Request_Origin="events.example")

    answer = send(make_endpoint("cloudevents"), asking)

    assert answer.status_code == 200
    assert answer["WebHook-Allowed-Origin"] == "events.example"
    assert answer["Allow"] == "POST, OPTIONS"
    assert_nothing_happened()


@pytest.mark.django_db
def test_each_item_of_a_batch_is_an_event() -> None:
    other = STRUCTURED.body.replace(b"reading-0001", b"reading-0003")
    batch = BATCH.but(body=b"[" + STRUCTURED.body + b"," + other + b"]")

    answer = send(make_endpoint("cloudevents"), batch)

    assert (answer.status_code, answer.content) == (202, b"")
    ids = Event.objects.order_by("id").values_list("delivery_id", flat=True)
    assert list(ids) == [f"{STATION}\nreading-0001", f"{STATION}\nreading-0003"]


@pytest.mark.django_db
def test_a_batch_that_multiplies_its_headers_is_rejected() -> None:
    batch = BATCH.but(body=b"[" + b",".join([STRUCTURED.body] * 2500) + b"]")

    answer = send(make_endpoint("cloudevents"), batch.plus(X_Long="x" * 8000))

    assert answer.status_code == 413
    assert json.loads(answer.content)["error_code"] == "batch_too_large"
    assert_nothing_happened()


@pytest.mark.django_db
def test_a_repeated_batch_is_counted_as_a_duplicate() -> None:
    endpoint = make_endpoint("cloudevents")
    batch = BATCH.but(body=b"[" + STRUCTURED.body + b"]")

    answers = [send(endpoint, batch).status_code for _ in range(2)]
    flush_rejections()

    assert answers == [202, 202]
    assert Event.objects.count() == 1
    counted = RejectionCount.objects.get()
    assert (counted.cause, counted.count) == ("duplicate", 1)
