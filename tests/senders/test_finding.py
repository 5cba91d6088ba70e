from __future__ import annotations

from collections.abc import Mapping

import pytest

from senders.definitions import WebhookTypeDefinition, load_definition, resolve
from senders.parsing import DeliveryIdentity, Finder, extract_identity, parse_body
from tests.senders.requests import NOW, PUSH

JSON = "application/json"


def identify(
    definition: WebhookTypeDefinition,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    query: Mapping[str, object] | None = None,
    now: float = NOW,
) -> DeliveryIdentity:
    request = Finder(
        headers={name.lower(): value for name, value in headers.items()},
        query=query or {},
        body=parse_body(body, JSON).value,
    )
    return extract_identity(definition, request, raw_body=body, now=now)


def made(**fields: object) -> WebhookTypeDefinition:
    return load_definition({"slug": "acme", "name": "Acme", **fields})


def test_type_and_id_of_a_github_push_are_in_its_headers() -> None:
    headers = {"x-github-event": "push", "X-GITHUB-DELIVERY": "72d3162e-cc78"}

    identity = identify(resolve("github"), headers, PUSH)

    assert identity.event_type == "github.push"
    assert identity.delivery_id == "72d3162e-cc78"


def test_the_type_of_a_standard_webhook_is_in_its_body() -> None:
    body = b'{"type": "gull.counted", "data": {}}'

    identity = identify(resolve("standardwebhooks"), {"webhook-id": "msg_1"}, body)

    assert identity.event_type == "standardwebhooks.gull.counted"
    assert identity.delivery_id == "msg_1"


@pytest.mark.parametrize("name", ["webhook-id", "Idempotency-Key", "X-Delivery-Id"])
def test_generic_reads_a_delivery_id_from_three_headers(name: str) -> None:
    identity = identify(resolve("generic"), {name: " d-1 "})

    assert identity.event_type == "generic.received"
    assert identity.delivery_id == "d-1"


@pytest.mark.parametrize("body", [b"{}", b"[]", b"7", b'{"type": {"a": 1}}', b"null"])
def test_without_type_and_id_the_event_is_unknown(body: bytes) -> None:
    identity = identify(resolve("standardwebhooks"), {}, body)

    assert identity.event_type == "standardwebhooks.unknown"
    assert identity.delivery_id is None


def test_an_event_type_cannot_contain_a_pattern() -> None:
    headers = {"X-GitHub-Event": "a/b *\u00e9\udcff\n"}

    identity = identify(resolve("github"), headers)

    assert identity.event_type == "github.a_b____udcff"


def test_an_event_type_is_truncated_to_two_hundred_characters() -> None:
    headers = {"X-GitHub-Event": "a" * 9000}

    identity = identify(resolve("github"), headers)

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
def test_a_delivery_id_is_never_truncated(sent: str, delivery_id: str | None) -> None:
    headers = {"X-GitHub-Delivery": sent}

    identity = identify(resolve("github"), headers)

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
def test_a_delivery_id_can_be_nested_in_the_body(
    body: bytes, delivery_id: str | None
) -> None:
    definition = made(delivery_id=[{"body": "/items/0/id"}])

    identity = identify(definition, {}, body)

    assert identity.delivery_id == delivery_id


def test_a_type_can_be_the_first_of_several_keys() -> None:
    definition = made(event_type=[{"first_key": ["message", "edited_message"]}])

    assert identify(definition, {}, b'{"edited_message": {}, "message": 1}') == (
        DeliveryIdentity(event_type="acme.message", delivery_id=None)
    )
    assert identify(definition, {}, b'{"poll": {}}').event_type == "acme.unknown"
    assert identify(definition, {}, b'["message"]').event_type == "acme.unknown"


def test_an_id_can_be_in_the_query() -> None:
    definition = made(delivery_id=[{"query": "id"}])

    assert identify(definition, {}, query={"id": ["a", "b"]}).delivery_id == "a"
    assert identify(definition, {}, query={"id": "c"}).delivery_id == "c"
    assert identify(definition, {}, query={}).delivery_id is None


def test_a_joined_id_needs_all_its_parts() -> None:
    sources = [{"header": "ce-source"}, {"header": "ce-id"}]
    definition = made(delivery_id=[{"join": sources}])

    whole = identify(definition, {"ce-id": "1", "ce-source": "/shop"})
    half = identify(definition, {"ce-id": "1"})

    assert whole.delivery_id == "/shop\n1"
    assert half.delivery_id is None


def test_the_parts_of_a_joined_type_are_joined_by_dots() -> None:
    joined = {"join": [{"constant": "call"}, {"body": "/status"}]}
    definition = made(event_type=[joined, {"constant": "other"}])

    assert (
        identify(definition, {}, b'{"status": "busy"}').event_type == "acme.call.busy"
    )
    assert identify(definition, {}, b"{}").event_type == "acme.other"


def test_a_number_can_have_a_name() -> None:
    named = {"body": "/type", "names": {"2": "command"}}
    definition = made(event_type=[named, {"constant": "other"}])

    assert identify(definition, {}, b'{"type": 2}').event_type == "acme.command"
    assert identify(definition, {}, b'{"type": 7}').event_type == "acme.other"
    assert identify(definition, {}, b"{}").event_type == "acme.other"


def test_the_hash_of_a_body_is_an_id_within_a_window() -> None:
    definition = made(delivery_id=[{"body_hash": {"window_seconds": 60}}])

    def at(second: float, body: bytes = b"{}") -> str | None:
        return identify(definition, {}, body, now=second).delivery_id

    assert at(120) == at(179.9)
    assert at(120) != at(180)
    assert at(120) != at(120, b"[]")
