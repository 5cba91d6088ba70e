"""Schemas and values whose checks would take very long."""

from __future__ import annotations

from typing import Any

import pytest

from common.errors import Fault
from common.json_schema import (
    TooCostly,
    UnusableSchema,
    find_schema_faults,
    find_value_faults,
)

DOUBLING = {
    "$defs": {
        "last": {},
        **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(20)},
        "d20": {"$ref": "#/$defs/last"},
    },
    "$ref": "#/$defs/d0",
}
DOUBLING_BY_LEVEL = {
    "$defs": {
        "node": {"properties": {"of": {"allOf": [{"$ref": "#/$defs/node"}] * 2}}}
    },
    "$ref": "#/$defs/node",
}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"of": value}
    return value


def test_exponential_references_are_rejected_with_the_schema() -> None:
    assert find_schema_faults(DOUBLING) == [
        Fault("", "Takes too many steps even for a small value")
    ]
    with pytest.raises(TooCostly):
        find_value_faults(DOUBLING, {})


def test_a_check_that_doubles_at_each_level_ends() -> None:
    assert find_schema_faults(DOUBLING_BY_LEVEL) == []
    assert find_value_faults(DOUBLING_BY_LEVEL, nested(8)) == []
    with pytest.raises(TooCostly):
        find_value_faults(DOUBLING_BY_LEVEL, nested(90))


@pytest.mark.parametrize(
    "schema",
    [
        {"items": {"type": "object"}},
        {"uniqueItems": True},
        {"anyOf": [{"type": "string"}] * 900},
        {"contains": {"const": 1}},
    ],
)
def test_a_check_of_a_large_value_ends(schema: dict[str, Any]) -> None:
    large = [{"n": n, "text": "long" * 10} for n in range(120_000)]

    with pytest.raises(TooCostly):
        find_value_faults(schema, large)


def test_budgets_are_independent() -> None:
    for _ in range(3):
        assert find_value_faults({"items": {"type": "integer"}}, [1] * 20_000) == []


def test_a_fault_that_was_found_in_time_is_returned() -> None:
    schema = {"required": ["id"], "additionalProperties": {"type": "integer"}}
    large = {f"n{n}": n for n in range(200_000)}

    assert find_value_faults(schema, large)[0].detail == "'id' is a required property"


@pytest.mark.parametrize(
    ("items", "is_unique"),
    [
        ([1, True, "1", [1], {"a": 1}, None], True),
        ([1, 1.0], False),
        ([{"a": [1, 2.0]}, {"a": [1.0, 2]}], False),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], False),
        ([0, False], True),
        (["\ud800", "\ud801"], True),
        ([2**70, float(2**70)], False),
    ],
)
def test_items_are_compared_as_json(items: list[Any], is_unique: bool) -> None:
    assert (find_value_faults({"uniqueItems": True}, items) == []) is is_unique


def test_numbers_whose_hashes_collide_are_compared_in_linear_time() -> None:
    colliding = [n * (2**61 - 1) for n in range(40_000)]

    assert find_value_faults({"uniqueItems": True}, colliding) == []


@pytest.mark.parametrize(
    ("value", "fits"), [(10**400, True), (1.5, True), (1.3, False), (True, True)]
)
def test_multiples_are_exact(value: Any, fits: bool) -> None:
    assert (find_value_faults({"multipleOf": 0.5}, value) == []) is fits


@pytest.mark.parametrize(
    "named",
    [
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2020-12/schema",
    ],
)
def test_a_nested_schema_keyword_does_not_change_the_validator(named: str) -> None:
    inner = {"$schema": named, "pattern": "^(a+)+$"}
    outer = {"$schema": named, "$id": "https://a.example/x", **inner}
    text = "a" * 40 + "b"

    for schema in ({"properties": {"of": inner}}, outer | {"items": {"$ref": "#"}}):
        value = {"of": text} if "properties" in schema else [text]
        assert len(find_value_faults(schema, value)) == 1


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"$ref": "https://a.example/schema"}, "/$ref"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "/items/$ref"),
        ({"items": {"$ref": "other.json"}}, "/items/$ref"),
        ({"allOf": [{"$ref": "#/$defs/none"}]}, "/allOf/0/$ref"),
        ({"$ref": "#/required/0", "required": ["a"]}, "/$ref"),
        ({"items": {"$id": "https://a.example/x"}}, "/items/$id"),
        ({"$dynamicRef": "#x"}, "/$dynamicRef"),
        ({"const": {"pattern": 5}, "$ref": "#/const"}, "/$ref"),
        ({"x": {"properties": 5}, "items": {"$ref": "#/x"}}, "/items/$ref"),
        ({"$ref": "#"}, ""),
        ({"anyOf": [{"$ref": "#"}]}, ""),
        ({"pattern": "a" * 1001}, "/pattern"),
        ({"enum": [{} for _ in range(1000)]}, ""),
        ({"enum": list(range(20_000))}, ""),
        (nested(60), ""),
    ],
)
def test_a_schema_is_rejected_with_a_pointer(
    schema: dict[str, Any], pointer: str
) -> None:
    assert [fault.pointer for fault in find_schema_faults(schema)] == [pointer]


def test_a_schema_may_refer_to_itself_one_level_down() -> None:
    tree = {"type": "object", "properties": {"of": {"$ref": "#"}}}

    assert find_schema_faults(tree) == []
    [fault] = find_value_faults(tree, {"of": {"of": 1}})
    assert fault.pointer == "/of/of"


def test_an_escaped_reference_is_followed() -> None:
    schema = {"$defs": {"a/b c": {"type": "string"}}, "$ref": "#/$defs/a~1b%20c"}

    assert find_schema_faults(schema) == []
    assert len(find_value_faults(schema, 1)) == 1


def test_a_reference_out_of_an_unchecked_schema_is_not_followed() -> None:
    with pytest.raises(UnusableSchema):
        find_value_faults({"items": {"$ref": "http://127.0.0.1:1/x"}}, [1])


def doubling_by_names(levels: int) -> dict[str, Any]:
    """Reach each subschema on two ways, neither of which checks a keyword."""
    definitions: dict[str, Any] = {f"d{levels}": {}}
    for n in range(levels):
        next_one = {"$ref": f"#/$defs/d{n + 1}"}
        definitions[f"d{n}"] = {"dependentSchemas": {"a": next_one, "b": next_one}}
    return {
        "unevaluatedProperties": True,
        "$ref": "#/$defs/d0",
        "$defs": definitions,
    }


def test_a_search_for_evaluated_members_ends() -> None:
    schema = doubling_by_names(40)

    assert find_schema_faults(schema) == []
    with pytest.raises(TooCostly):
        find_value_faults(schema, {"a": 1, "b": 1})
