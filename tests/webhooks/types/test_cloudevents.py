"""What makes a request a CloudEvent, and when two of them are the same event."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from events.models import Event
from tests.senders.requests import Sent
from tests.senders.table import signed
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.receiving import make_endpoint, send
from tests.webhooks.ways import each_way as each_way
from webhooks.models import WebhookEndpoint
from webhooks.types import preview_type

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

STRUCTURED = signed("cloudevents", "example.weather.changed")
BINARY = signed("cloudevents", "example.weather.binary")
EVENT: dict[str, Any] = json.loads(STRUCTURED.body)
BATCH = "application/cloudevents-batch+json"
MISSING = "Is missing: CloudEvents requires id, source, specversion and type"
NO_TEXT = "Must be a text that is not empty"
VERSION = "Must be 1.0: other versions of CloudEvents are not read"
CONTROL = "Must not contain control characters"


def structured(event: object, content_type: str = STRUCTURED.content_type) -> Sent:
    return STRUCTURED.but(body=json.dumps(event).encode(), content_type=content_type)


def faults(sent: Sent) -> list[tuple[str, str]]:
    answer = send(make_endpoint("cloudevents"), sent)
    assert answer.status_code == 400
    assert_nothing_happened()
    errors = json.loads(answer.content)["errors"]
    return [(error["pointer"], error["detail"]) for error in errors]


def ids(endpoint: WebhookEndpoint) -> list[tuple[str, str]]:
    rows = Event.objects.filter(endpoint_id=endpoint.pk).order_by("id")
    return list(rows.values_list("type", "delivery_id"))


@pytest.mark.parametrize("name", ["id", "source", "specversion", "type"])
def test_each_required_attribute_must_be_sent_in_both_modes(name: str) -> None:
    without = {key: value for key, value in EVENT.items() if key != name}

    assert faults(structured(without)) == [(f"/body/{name}", MISSING)]
    assert faults(BINARY.without(f"ce-{name}")) == [(f"/headers/ce-{name}", MISSING)]


@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [
        ("id", 7, NO_TEXT),
        ("id", " ", NO_TEXT),
        ("source", "", NO_TEXT),
        ("type", None, MISSING),
        ("type", "a\nb", CONTROL),
        ("specversion", "0.3", VERSION),
        ("specversion", "2.0", VERSION),
        ("specversion", 1.0, NO_TEXT),
    ],
)
def test_an_attribute_that_is_not_valid_is_refused(
    name: str, value: object, detail: str
) -> None:
    sent = structured({**EVENT, name: value})

    assert faults(sent) == [(f"/body/{name}", detail)]


@pytest.mark.parametrize(
    ("value", "detail"), [("2.0", VERSION), ("%20", NO_TEXT), ("1%2e0%0a", CONTROL)]
)
def test_a_header_that_is_not_valid_is_refused(value: str, detail: str) -> None:
    sent = BINARY.plus(ce_specversion=value)

    assert faults(sent) == [("/headers/ce-specversion", detail)]


def test_without_any_attribute_the_refusal_says_how_to_send_them() -> None:
    plain = Sent(slug="cloudevents", body=b'{"type": "t"}', headers=STRUCTURED.headers)

    [(pointer, detail)] = faults(plain)

    assert pointer == "/headers"
    assert "application/cloudevents+json" in detail


@pytest.mark.parametrize("body", [b"[1]", b'"text"', b"<event/>"])
def test_a_structured_event_is_an_object(body: bytes) -> None:
    kind = "cloudevents+xml" if body.startswith(b"<") else "cloudevents+json"
    sent = STRUCTURED.but(body=body, content_type=f"application/{kind}")

    [(pointer, _)] = faults(sent)

    assert pointer == "/body"


@pytest.mark.parametrize("bad", [{"type": "t"}, {**EVENT, "specversion": "0.3"}, []])
def test_a_batch_with_one_bad_member_is_refused_whole(bad: object) -> None:
    found = faults(structured([EVENT, bad], BATCH))

    assert found
    assert all(pointer.startswith("/body/1") for pointer, _ in found)


def test_an_empty_batch_is_answered_like_any_other() -> None:
    answer = send(make_endpoint("cloudevents"), structured([], BATCH))

    assert (answer.status_code, answer.content) == (202, b"")
    assert_nothing_happened()


def test_an_event_that_is_declared_as_plain_json_is_read() -> None:
    endpoint = make_endpoint("cloudevents")

    answer = send(endpoint, structured(EVENT, "application/json"))

    assert answer.status_code == 202
    assert ids(endpoint)[0][0] == "cloudevents.example.weather.changed"


def test_a_header_means_nothing_next_to_a_structured_event() -> None:
    endpoint = make_endpoint("cloudevents")

    send(endpoint, STRUCTURED.plus(ce_type="another", ce_id="another"))

    assert ids(endpoint) == [
        (f"cloudevents.{EVENT['type']}", f"{EVENT['source']}\n{EVENT['id']}")
    ]


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("a%20b", "a b"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ('"a\\"b%20"', 'a"b '),
        ("100%", "100%"),
        ("%zz", "%zz"),
    ],
)
def test_headers_are_decoded_as_the_same_event_is_structured(
    sent: str, value: str
) -> None:
    binary = BINARY.plus(ce_id=sent, ce_type=sent, ce_source=f"/s{sent}")
    attributes = {"id": value, "type": value, "source": f"/s{value}"}
    if sent.startswith('"'):
        attributes["source"] = f"/s{sent}".replace("%20", " ")
    whole = {**EVENT, **attributes, "data": json.loads(BINARY.body)}
    first, second = make_endpoint("cloudevents"), make_endpoint("cloudevents")

    assert send(first, binary).status_code == 202
    assert send(second, structured(whole)).status_code == 202
    assert ids(first) == ids(second)


def as_structured(**data: object) -> Sent:
    """Return the binary sample in structured mode, with this data."""
    names = ("specversion", "type", "source", "id", "time")
    attributes = {name: BINARY.headers[f"ce-{name}"] for name in names}
    return structured({**attributes, **data})


@pytest.mark.parametrize(
    ("body", "content_type", "data"),
    [
        (BINARY.body, "application/json", {"data": json.loads(BINARY.body)}),
        (b"4.0", "application/json", {"data": 4.0}),
        (b'"gulls"', "application/json", {"data": "gulls"}),
        (b"gulls", "text/plain", {"data": "gulls"}),
        (b"<gulls/>", "application/xml", {"data": "<gulls/>"}),
        (b"\xff\x00", "application/octet-stream", {"data_base64": "/wA="}),
        (b"", "", {}),
        (
            BINARY.body,
            "application/json",
            {"data_base64": base64.b64encode(BINARY.body).decode()},
        ),
    ],
)
def test_the_same_event_in_both_modes_is_recorded_once(
    body: bytes, content_type: str, data: dict[str, object]
) -> None:
    binary = BINARY.but(body=body, content_type=content_type)
    for first, second in [
        (binary, as_structured(**data)),
        (as_structured(**data), binary),
    ]:
        endpoint = make_endpoint("cloudevents")

        assert [send(endpoint, sent).status_code for sent in (first, second)] == [
            202,
            202,
        ]
        assert len(ids(endpoint)) == 1


@pytest.mark.parametrize(
    "other",
    [
        as_structured(data={"celsius": 99}),
        as_structured(),
        BINARY.plus(ce_type="another"),
        BINARY.but(body=b"{}"),
    ],
)
def test_another_event_with_a_known_id_is_a_conflict(other: Sent) -> None:
    endpoint = make_endpoint("cloudevents")

    answers = [send(endpoint, sent).status_code for sent in (BINARY, other)]

    assert answers == [202, 409]
    assert len(ids(endpoint)) == 1


def test_a_try_shows_what_is_missing() -> None:
    preview = preview_type(
        slug="cloudevents", headers={"ce-type": "a%20b"}, body={}, query={}, config={}
    )

    assert preview.event_type == "cloudevents.a_b"
    assert [fault.pointer for fault in preview.schema_faults] == [
        "/headers/ce-id",
        "/headers/ce-source",
        "/headers/ce-specversion",
    ]
