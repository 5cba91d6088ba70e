from __future__ import annotations

import pytest

from common.values import MISSING
from conditions.document import Document, UnreadableFieldError, parse_field

VALUES: dict[str, object] = {
    "request": {
        "method": "POST",
        "headers": {"content-type": "application/json"},
        "query": {"action": "deploy"},
        "body": {"items": [{"id": 7}, {"id": 8}], "a.b": {"c": 1}, "0": "zero"},
    },
    "headers": {"x-github-event": "push"},
    "query": {"action": "deploy"},
    "body": {"items": [{"id": 7}], 'say "hi"': 2, "größe": 3, "nothing": None},
    "hour": 9,
}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("hour", 9),
        ("request.method", "POST"),
        ("request.headers.content-type", "application/json"),  # D15
        ("request.headers.Content-Type", "application/json"),
        ("headers.X-GitHub-Event", "push"),
        ('headers["X-GitHub-Event"]', "push"),
        ("query.action", "deploy"),
        ("request.query.action", "deploy"),
        ("request.query_params.action", "deploy"),
        ("request.body.items[1].id", 8),
        ("request.body.items.1.id", 8),
        ("body.items[0].id", 7),
        ('request.body["a.b"].c', 1),
        ("request.body.0", "zero"),
        ("request.body[0]", "zero"),
        (r'body["say \"hi\""]', 2),
        ("body.größe", 3),
        ("body.nothing", None),
    ],
)
def test_a_field_finds_its_value(written: str, value: object) -> None:
    assert parse_field(written).finder()(VALUES) == value


@pytest.mark.parametrize(
    "written",
    [
        "payload",
        "body.absent",
        "body.absent.deeper",
        "body.items[1]",
        "body.items.id",
        "body.items[99999999999999999999]",
        "body.nothing.deeper",
        "hour.minute",
        "request.method.0",
        "body.Items",
    ],
)
def test_an_absent_value_is_missing(written: str) -> None:
    assert parse_field(written).finder()(VALUES) is MISSING


@pytest.mark.parametrize(
    ("written", "detail"),
    [
        ("requst.body", "Unknown field root 'requst'; did you mean 'request'?"),
        ("body..x", "The field is not valid from character 5 on: '..x'"),
        ("body.", "The field is not valid from character 5 on: '.'"),
        ("body[-1]", "The field is not valid from character 5 on: '[-1]'"),
        ("body[a]", "The field is not valid from character 5 on: '[a]'"),
        ('body["a', "The field is not valid from character 5 on: '[\"a'"),
        ("[0].x", "The field is not valid from character 1 on: '[0].x'"),
        ("hour >= 9", "The field is not valid from character 5 on: ' >= 9'"),
        ("body.\ud800", "A field must be valid Unicode text"),
        ("body." + "x" * 500, "A field can have at most 500 characters"),
    ],
)
def test_an_invalid_field_is_rejected_with_its_position(
    written: str, detail: str
) -> None:
    with pytest.raises(UnreadableFieldError) as raised:
        parse_field(written)

    assert str(raised.value) == detail


def test_an_unknown_root_without_a_similar_one_lists_all() -> None:
    with pytest.raises(UnreadableFieldError, match="known: body, date, event, headers"):
        parse_field("zzz")


@pytest.mark.parametrize(
    ("written", "is_text"),
    [
        ("headers.content-length", True),
        ("request.headers.Content-Length", True),
        ("query.page", True),
        ("request.query_params.page", True),
        ("body.amount", True),
        ("request.body.amount", False),
        ("payload.amount", False),
    ],
)
def test_headers_query_and_text_paths_hold_text(written: str, is_text: bool) -> None:
    form = Document({}, frozenset({("body",)}))

    assert parse_field(written).text_test()(form) is is_text
