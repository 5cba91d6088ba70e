from __future__ import annotations

import pytest

from tests.webhooks.senders import PUSH
from webhooks.definitions import load_definition, resolve
from webhooks.parsing import extract, parse_body

JSON = "application/json"


def test_type_and_id_of_a_github_push_are_in_its_headers() -> None:
    headers = {"x-github-event": "push", "X-GITHUB-DELIVERY": "72d3162e-cc78"}

    identity = extract(resolve("github"), headers=headers, body=parse_body(PUSH, JSON))

    assert identity.event_type == "github.push"
    assert identity.delivery_id == "72d3162e-cc78"


def test_the_type_of_a_standard_webhook_is_in_its_body() -> None:
    body = parse_body(b'{"type": "gull.counted", "data": {}}', JSON)

    identity = extract(
        resolve("standardwebhooks"), headers={"webhook-id": "msg_1"}, body=body
    )

    assert identity.event_type == "standardwebhooks.gull.counted"
    assert identity.delivery_id == "msg_1"


@pytest.mark.parametrize("name", ["webhook-id", "Idempotency-Key", "X-Delivery-Id"])
def test_generic_reads_a_delivery_id_from_three_headers(name: str) -> None:
    body = parse_body(b"", "")

    identity = extract(resolve("generic"), headers={name: " d-1 "}, body=body)

    assert identity.event_type == "generic.received"
    assert identity.delivery_id == "d-1"


@pytest.mark.parametrize("body", [b"{}", b"[]", b"7", b'{"type": {"a": 1}}', b"null"])
def test_without_type_and_id_the_event_is_unknown(body: bytes) -> None:
    identity = extract(
        resolve("standardwebhooks"), headers={}, body=parse_body(body, JSON)
    )

    assert identity.event_type == "standardwebhooks.unknown"
    assert identity.delivery_id is None


def test_an_event_type_can_not_hold_a_pattern() -> None:
    headers = {"X-GitHub-Event": "a/b *\u00e9\udcff\n"}

    identity = extract(resolve("github"), headers=headers, body=parse_body(b"", ""))

    assert identity.event_type == "github.a_b____udcff"


def test_an_event_type_is_cut_at_two_hundred_characters() -> None:
    headers = {"X-GitHub-Event": "a" * 9000}

    identity = extract(resolve("github"), headers=headers, body=parse_body(b"", ""))

    assert identity.event_type == "github." + "a" * 193


@pytest.mark.parametrize(
    ("sent", "delivery_id"),
    [
        ("a" * 8000, "a" * 8000),
        ("a" * 8001, None),
        ("  ", None),
        ("\udcff", "\\udcff"),
    ],
)
def test_a_delivery_id_is_bounded_and_never_cut(
    sent: str, delivery_id: str | None
) -> None:
    headers = {"X-GitHub-Delivery": sent}

    identity = extract(resolve("github"), headers=headers, body=parse_body(b"", ""))

    assert identity.delivery_id == delivery_id


@pytest.mark.parametrize(
    ("body", "delivery_id"),
    [
        (b'{"items": [{"id": 12345678901234567890123}]}', "12345678901234567890123"),
        (b'{"items": [{"id": "x"}]}', "x"),
        (b'{"items": [{"id": true}]}', None),
        (b'{"items": [{"id": 1.5}]}', None),
        (b'{"items": []}', None),
        (b'{"items": "text"}', None),
    ],
)
def test_a_delivery_id_can_lie_deep_in_the_body(
    body: bytes, delivery_id: str | None
) -> None:
    definition = load_definition(
        {"slug": "acme", "name": "Acme", "delivery_id": [{"body": "/items/0/id"}]}
    )

    identity = extract(definition, headers={}, body=parse_body(body, JSON))

    assert identity.delivery_id == delivery_id
