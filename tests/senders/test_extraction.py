"""The fields that webhook types extract (R30, R194, R355)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from senders.definitions import (
    InvalidDefinition,
    WebhookTypeDefinition,
    get_shipped,
    load_definition,
    resolve,
    shipped_slugs,
)
from senders.definitions.extraction import RESERVED_NAMES
from senders.definitions.shipped import sample_events, sample_of
from senders.parsing import Finder, bound_fields, extract_fields, parse_sent
from senders.parsing.extraction import MAX_TEXT_LENGTH, Extracted

EXTRACTING = [slug for slug in shipped_slugs() if resolve(slug).extract]


def extracted(slug: str, body: object, **headers: str) -> dict[str, Any]:
    finder = Finder(headers=headers, query={}, body=body)
    found = extract_fields(resolve(slug).extract, finder, is_text=False)
    return dict(found.values)


def of_sample(slug: str, event: str) -> list[Extracted]:
    """Return what is extracted from a sample; an item of a batch each."""
    definition, sample = resolve(slug), sample_of(slug, event)
    assert sample is not None
    parsed = parse_sent(definition, sample.body, sample.content_type)
    headers = {name.lower(): text for name, text in sample.headers.items()}
    bodies = parsed.value if isinstance(parsed.value, list) else [parsed.value]
    return [
        extract_fields(
            definition.extract,
            Finder(headers=headers, query={}, body=body),
            is_text=parsed.is_text,
        )
        for body in bodies
    ]


@pytest.mark.parametrize("slug", EXTRACTING)
def test_each_name_is_found_in_a_sample(slug: str) -> None:
    definition = resolve(slug)
    presence = {one.name for one in definition.extract if one.is_presence}
    found = [f for event in sample_events(slug) for f in of_sample(slug, event)]

    seen = {
        name
        for one in found
        for name, value in one.values.items()
        if value is not False or name not in presence
    }

    assert {one.name for one in definition.extract} - seen == set()


def test_most_shipped_types_extract_fields() -> None:
    assert set(shipped_slugs()) - set(EXTRACTING) == {"generic", "websub"}


MESSAGE = {
    "message_id": 5,
    "from": {"id": 7, "username": "ana", "first_name": "Ana"},
    "chat": {"id": -100, "type": "group"},
    "text": "hi",
    "document": {"file_id": "f"},
}
IN_MESSAGE = {
    "chat_id": -100, "chat_type": "group", "message_id": 5, "text": "hi",
    "document": {"file_id": "f"}, "has_document": True,
}  # fmt: skip
SENT_BY = {"user_id": 7, "username": "ana", "first_name": "Ana"}


@pytest.mark.parametrize(
    "kind", ["message", "edited_message", "channel_post", "edited_channel_post"]
)
def test_telegram_messages_of_all_kinds(kind: str) -> None:
    found = extracted("telegram", {"update_id": 1, kind: MESSAGE})

    assert found == {"update_id": 1, **IN_MESSAGE, **SENT_BY}


def test_a_telegram_callback_has_its_data_and_the_chat_of_its_message() -> None:
    pressed = {"id": "9", "from": {"id": 8}, "data": "city:porto", "message": MESSAGE}

    found = extracted("telegram", {"update_id": 1, "callback_query": pressed})

    assert found == {
        "update_id": 1,
        **IN_MESSAGE,
        "user_id": 8,
        "callback_query_id": "9",
        "callback_data": "city:porto",
    }


def test_a_telegram_channel_post_without_a_user_or_document() -> None:
    post = {"message_id": 1, "chat": {"id": -5, "type": "channel"}, "text": "x"}

    found = extracted("telegram", {"update_id": 2, "channel_post": post})

    assert (found["chat_id"], found["has_document"]) == (-5, False)
    assert not {"user_id", "document"} & set(found)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("message", {"user": "U0ANAEXMPL", "channel": "C0WEATHER1",
                     "text": "Will it rain tomorrow?"}),
        ("slash_command", {"user": "U0ANAEXMPL", "channel": "C0WEATHER1",
                           "text": "Porto", "command": "/forecast"}),
        ("block_actions", {"user": "U0ANAEXMPL", "action": "send_report"}),
        ("reaction_added", {"user": "U0ANAEXMPL", "channel": "C0WEATHER1"}),
    ],
)  # fmt: skip
def test_slack_events_commands_and_interactions(
    event: str, expected: dict[str, str]
) -> None:
    (found,) = of_sample("slack", event)

    assert expected.items() <= found.values.items()


def test_slack_objects_in_place_of_ids() -> None:
    event = {"channel": {"id": "C1", "name": "new"}, "user": {"id": "U1"}}

    found = extracted("slack", {"event": event})

    assert (found["channel"], found["user"]) == ("C1", "U1")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("push", {"repository": "ana-example/weather-report", "branch": "main",
                  "ref": "refs/heads/main", "sender": "ana-example"}),
        ("pull_request", {"action": "opened", "number": 12, "branch": "rounding",
                          "base_branch": "main"}),
        ("issues", {"action": "opened", "number": 11, "sender": "bo-example"}),
        ("release", {"tag": "v1.2.0", "organization": "weather-example"}),
        ("workflow_run", {"conclusion": "failure", "branch": "main"}),
    ],
)  # fmt: skip
def test_github_events(event: str, expected: dict[str, object]) -> None:
    (found,) = of_sample("github", event)

    assert expected.items() <= found.values.items()


def test_a_tag_is_not_a_branch() -> None:
    found = extracted("github", {"ref": "refs/tags/v1"})

    assert (found.get("branch"), found["tag"]) == (None, "v1")


def test_an_answer_of_false_or_zero_counts_as_a_value() -> None:
    found = extracted("github", {"number": 0, "pull_request": {"merged": False}})

    assert (found["number"], found["merged"]) == (0, False)


@pytest.mark.parametrize("body", [None, [], "text", 5, {"message": "no object"}])
@pytest.mark.parametrize("slug", EXTRACTING)
def test_an_unexpected_body_is_no_error(slug: str, body: object) -> None:
    finder = Finder(headers={}, query={}, body=body)

    extract_fields(resolve(slug).extract, finder, is_text=False)


def test_values_of_forms_and_headers_can_only_be_text() -> None:
    (called,) = of_sample("twilio", "call.ringing")
    (order,) = of_sample("shopify", "orders/create")

    assert called.text_names == set(called.values)
    assert order.text_names == {"shop"}


def definition(**fields: Any) -> WebhookTypeDefinition:
    return load_definition({"slug": "shop", "name": "Shop", **fields})


def test_sources_of_all_kinds_are_tried_in_order() -> None:
    shop = definition(
        extract={
            "id": [{"header": "X-Id"}, {"query": "id"}, "/id"],
            "kind": [{"body": "/kind", "names": {"1": "order"}}, "/kind"],
            "branch": [{"body": "/ref", "after": "heads/"}],
            "paid": {"present": ["/paid_at", "/payment"]},
        }
    )
    body = {"id": 3, "kind": 1, "ref": "heads/a/b", "payment": {}}
    requests = [
        Finder(headers={"x-id": "h"}, query={"id": "q"}, body=body),
        Finder(headers={}, query={"id": "q"}, body={"kind": 2, "ref": "tags/a"}),
        Finder(headers={}, query={}, body={"id": 3, "kind": None}),
    ]

    found = [extract_fields(shop.extract, r, is_text=False).values for r in requests]

    assert found == [
        {"id": "h", "kind": "order", "branch": "a/b", "paid": True},
        {"id": "q", "kind": 2, "paid": False},
        {"id": 3, "paid": False},
    ]


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_field_never_replaces_a_part_of_the_request(name: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        definition(extract={name: ["/a"]})

    (fault,) = refusal.value.faults
    assert fault.pointer == f"/extract/{name}"
    assert "choose another name" in fault.detail


@pytest.mark.parametrize(
    "extract",
    [
        {"a": []},
        {"a": "/b"},
        {"a": ["b"]},
        {"a": [{"constant": "b"}]},
        {"a": [{"body": "/b", "header": "X"}]},
        {"a": [{"body": "/b", "after": ""}]},
        {"a": [{"after": "x"}]},
        {"a": [{"body": "/b", "after": "x", "names": {"1": "y"}}]},
        {"a": {"present": []}},
        {"a": {"absent": ["/b"]}},
        {"a-b": ["/b"]},
        {"1a": ["/b"]},
        {"a": ["/b"] * 31},
        {f"a{n}": ["/b"] for n in range(41)},
        ["/b"],
    ],
    ids=lambda extract: json.dumps(extract)[:40],
)
def test_a_malformed_map_is_refused(extract: object) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        definition(extract=extract)

    assert refusal.value.faults[0].pointer.startswith("/extract")


def test_long_values_are_cut_or_left_out_in_the_task() -> None:
    fields = {
        "text": "x" * (MAX_TEXT_LENGTH + 1),
        "items": ["x" * 100] * 200,
        "short": [1],
        "none": None,
    }

    assert bound_fields(fields) == {
        "text": "x" * MAX_TEXT_LENGTH,
        "short": [1],
        "none": None,
        "shortened": ["text", "items"],
    }


def test_the_map_is_read_once_per_type() -> None:
    assert get_shipped("telegram") is get_shipped("telegram")
