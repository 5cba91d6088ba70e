from __future__ import annotations

from typing import Any

import pytest

from webhooks.endpoints.rules import find_rule_faults


def pointers(rules: dict[str, Any]) -> list[str]:
    return [fault.pointer for fault in find_rule_faults(rules)]


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"allowed_addresses": ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"]},
        {"rate_limit": {"per_minute": 1}},
        {"rate_limit": {"per_minute": 0, "per_hour": 1_000_000}},
        {"json_schema": {"type": "object", "required": ["id"]}},
    ],
)
def test_valid_rules_have_no_faults(rules: dict[str, Any]) -> None:
    assert pointers(rules) == []


@pytest.mark.parametrize("networks", [[], "10.0.0.0/8", None, {}, ["10.0.0.0/8"] * 201])
def test_allowed_addresses_are_a_list(networks: object) -> None:
    assert pointers({"allowed_addresses": networks}) == ["/allowed_addresses"]


@pytest.mark.parametrize("text", ["10.0.0.1/8", "localhost", "", 10, None, "::1/129"])
def test_an_allowed_address_is_an_address_or_a_network(text: object) -> None:
    rules = {"allowed_addresses": ["10.0.0.0/8", text]}

    assert pointers(rules) == ["/allowed_addresses/1"]


@pytest.mark.parametrize(
    ("rate", "place"),
    [
        ({}, "/rate_limit"),
        (10, "/rate_limit"),
        (None, "/rate_limit"),
        ({"per_second": 1}, "/rate_limit/per_second"),
        ({"per_minute": "10"}, "/rate_limit/per_minute"),
        ({"per_minute": True}, "/rate_limit/per_minute"),
        ({"per_minute": -1}, "/rate_limit/per_minute"),
        ({"per_hour": 1.5}, "/rate_limit/per_hour"),
        ({"per_hour": 1_000_001}, "/rate_limit/per_hour"),
    ],
)
def test_a_rate_limit_is_a_whole_number_a_minute_or_an_hour(
    rate: object, place: str
) -> None:
    assert pointers({"rate_limit": rate}) == [place]


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (True, "/json_schema"),
        ({"type": "text"}, "/json_schema/type"),
        (
            {"properties": {"a": {"pattern": "(?=x)"}}},
            "/json_schema/properties/a/pattern",
        ),
    ],
)
def test_a_schema_must_be_valid(schema: object, place: str) -> None:
    assert pointers({"json_schema": schema}) == [place]
