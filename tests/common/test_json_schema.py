from __future__ import annotations

import pytest

from common.errors import Fault
from common.json_schema import (
    MIXED,
    UnusableSchema,
    find_schema_faults,
    find_value_faults,
)


def test_a_valid_value_has_no_faults() -> None:
    schema = {"type": "object", "required": ["id"]}

    assert find_value_faults(schema, {"id": 1}) == []


def test_a_fault_points_to_its_place() -> None:
    schema = {"properties": {"a/b": {"items": {"type": "integer"}}}}

    faults = find_value_faults(schema, {"a/b": [1, "x"]})

    assert faults == [Fault("/a~1b/1", "'x' is not of type 'integer'")]


def test_a_pattern_with_exponential_backtracking_is_matched_in_linear_time() -> None:
    schema = {"pattern": "^(a+)+$"}

    [fault] = find_value_faults(schema, "a" * 5000 + "b")

    assert fault.pointer == ""


def test_property_names_are_matched_in_linear_time() -> None:
    schema = {"patternProperties": {"^(a+)+$": {"type": "integer"}}}

    faults = find_value_faults(schema, {"a" * 40 + "b": "x", "aa": "x"})

    assert [fault.pointer for fault in faults] == ["/aa"]


@pytest.mark.parametrize("others", [False, {"type": "integer"}])
def test_additional_properties_are_found_in_linear_time(others: object) -> None:
    schema = {
        "properties": {"id": {}},
        "patternProperties": {"^(a+)+$": {}},
        "additionalProperties": others,
    }
    value = {"id": "x", "aa": "x", "a" * 40 + "b": "x"}

    assert len(find_value_faults(schema, value)) == 1
    assert find_value_faults(schema, {"id": "x", "a" * 40: "x"}) == []
    assert find_schema_faults(schema) == []


def test_valid_additional_properties_have_no_faults() -> None:
    schema = {"additionalProperties": {"type": "integer"}}

    assert find_value_faults(schema, {"a": 1, "b": 2}) == []
    assert [f.pointer for f in find_value_faults(schema, {"a/b": "x"})] == ["/a~1b"]
    assert find_value_faults({"additionalProperties": False}, [1]) == []


def test_unevaluated_properties_are_rejected_next_to_pattern_properties() -> None:
    schema = {
        "allOf": [{"patternProperties": {"^(a+)+$": {}}}],
        "unevaluatedProperties": False,
    }

    [fault] = find_schema_faults(schema)

    assert fault == Fault("", MIXED)
    with pytest.raises(UnusableSchema):
        find_value_faults(schema, {"a" * 40 + "b": 1})


def test_unevaluated_properties_are_found_without_pattern_properties() -> None:
    schema = {"properties": {"id": {}}, "unevaluatedProperties": False}

    assert find_schema_faults(schema) == []
    assert find_value_faults(schema, {"id": 1}) == []
    assert len(find_value_faults(schema, {"other": 1})) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#"},
    ],
)
def test_a_reference_to_a_missing_place_is_an_error(
    schema: dict[str, str],
) -> None:
    with pytest.raises(UnusableSchema):
        find_value_faults(schema, {})


def test_a_lone_surrogate_matches_no_pattern() -> None:
    [fault] = find_value_faults({"pattern": "x"}, "\ud800")

    assert fault.pointer == ""


def test_a_schema_of_the_wrong_form_is_rejected() -> None:
    [fault] = find_schema_faults({"properties": {"a": {"type": "text"}}})

    assert fault.pointer == "/properties/a/type"


def test_an_unsupported_pattern_is_rejected_with_its_pointer() -> None:
    [fault] = find_schema_faults({"allOf": [{"pattern": "(?=a)b"}]})

    assert fault.pointer == "/allOf/0/pattern"
    assert fault.detail.startswith("Is not a pattern of RE2")


@pytest.mark.parametrize("pattern", ["(?=a)b", "(", "\ud800"])
def test_an_unsupported_pattern_of_names_is_rejected_with_its_pointer(
    pattern: str,
) -> None:
    [fault] = find_schema_faults({"items": {"patternProperties": {pattern: {}}}})

    assert fault.pointer == f"/items/patternProperties/{pattern}"
    assert fault.detail.startswith("Is not a pattern of RE2")
