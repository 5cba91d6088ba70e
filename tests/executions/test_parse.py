from __future__ import annotations

from typing import Any

import pytest

from agents.models import AgentTask
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.executions.senders import (
    REQUEST,
    Define,
    deliver,
    make_receiver,
    parsed_parameters,
)
from tests.executions.senders import define as define  # is a fixture
from tests.factories import make_listener, record

pytestmark = pytest.mark.django_db

FORM = {"content_type": "application/x-www-form-urlencoded", "body": b"amount=12"}
REQUEST_PARTS = {
    "method": "POST",
    "headers": REQUEST["headers"],
    "query_params": {"page": "2"},
    "body": {"id": 5},
}


def parsed(**fields: Any) -> Any:
    deliver(make_receiver(), **fields)
    drain()
    (found,) = parsed_parameters()
    return found


def is_met(field: str, value: int, **fields: Any) -> bool:
    """Return whether a field of a delivery is greater than a value."""
    rule = {"field": field, "operator": "greater_than", "value": value}
    make = make_receiver(
        conditions={"type": "rule", "rules": [rule]}, on_condition_error="skip"
    )
    deliver(make, **fields)
    drain()
    execution = TriggerExecution.objects.get()
    assert execution.reason in ("", "condition_error", "conditions_not_met")
    return not execution.reason


def test_parsed_has_the_parts_of_a_webhook_request() -> None:
    assert parsed(type="generic.received") == {
        "service": "generic",
        "content_type": "application/json",
        **REQUEST_PARTS,
        "raw_payload": REQUEST_PARTS,
    }


def test_a_content_type_that_is_not_declared_is_unknown() -> None:
    assert parsed(content_type="")["content_type"] == "unknown"


def test_parsed_is_the_body_of_other_events() -> None:
    make_listener(parameter_mapping={"parsed": "parsed", "part": "parsed.a"})

    record(body=b'{"a": 1}')
    drain()

    parameters = AgentTask.objects.get().parameters
    assert (parameters["parsed"], parameters["part"]) == ({"a": 1}, 1)


@pytest.mark.parametrize(
    "field",
    [
        "parsed.body.amount",
        "parsed.raw_payload.body.amount",
        "parsed.headers.x-level",
        "parsed.query_params.page",
        "parsed.raw_payload.query_params.page",
    ],
)
def test_numbers_that_arrived_as_text_are_compared_as_numbers(field: str) -> None:
    assert is_met(field, 1, **FORM)


def test_texts_in_json_are_not_compared_as_numbers() -> None:
    assert not is_met("parsed.body.amount", 1, body=b'{"amount": "12"}')


def test_a_parser_adds_members(define: Define) -> None:
    define(
        custom_parser_code=(
            "def parse_order(body, headers, webhook_config, query, method):\n"
            "    return {'order': body['id'] + 1, 'level': headers['x-level'],\n"
            "            'site': webhook_config['site'], 'page': query['page'],\n"
            "            'method': method.lower()}"
        )
    )
    trigger = make_receiver(webhook={"config": {"site": "eu"}})

    deliver(trigger)
    drain()

    assert parsed_parameters() == [
        {
            "service": "shop",
            "content_type": "application/json",
            **REQUEST_PARTS,
            "order": 6,
            "level": "7",
            "site": "eu",
            "page": "2",
            "method": "post",
            "raw_payload": REQUEST_PARTS,
        }
    ]


def test_a_parser_may_replace_the_body_but_not_the_raw_payload(define: Define) -> None:
    define(
        custom_parser_code="def parse(): return {'body': [1], 'raw_payload': 0}",
        json_schema={"required": ["id"]},
    )

    found = parsed()

    assert found["body"] == [1]
    assert found["raw_payload"] == REQUEST_PARTS
    assert found["schema_valid"] is True


def test_texts_that_a_parser_returned_are_not_compared_as_numbers(
    define: Define,
) -> None:
    define(custom_parser_code="def parse(): return {'body': {'amount': '12'}}")

    assert not is_met("parsed.body.amount", 1, **FORM)


def test_conditions_can_use_the_result_of_a_parser(define: Define) -> None:
    define(custom_parser_code="def parse(body): return {'double': body['id'] * 2}")

    assert is_met("parsed.double", 9)


def test_a_parser_that_fails_adds_its_error_and_loses_nothing(define: Define) -> None:
    define(custom_parser_code="def parse(body):\n    return {'x': body['missing']}")

    assert parsed() == {
        "service": "shop",
        "content_type": "application/json",
        **REQUEST_PARTS,
        "parse_error": "KeyError in line 2",
        "raw_payload": REQUEST_PARTS,
    }


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b'{"id": 5}', {"schema_valid": True}),
        (
            b'{"id": "5"}',
            {
                "schema_valid": False,
                "schema_error": "/id: '5' is not of type 'integer'",
            },
        ),
        (
            b"{}",
            {"schema_valid": False, "schema_error": "'id' is a required property"},
        ),
    ],
)
def test_a_body_is_validated_against_the_types_schema(
    define: Define, body: bytes, verdict: dict[str, object]
) -> None:
    schema = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
    define(json_schema=schema)

    found = parsed(body=body)

    assert {k: v for k, v in found.items() if k.startswith("schema")} == verdict


def test_an_unusable_schema_is_an_error(define: Define) -> None:
    define(json_schema={"$ref": "https://example.test/schema.json"})

    found = parsed()

    assert found["schema_valid"] is False
    assert found["schema_error"].endswith("is not usable")
