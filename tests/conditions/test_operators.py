from __future__ import annotations

import pytest

from common.registry import import_modules
from conditions.engine import EvaluationOutcome
from conditions.operators.base import operators
from tests.conditions.builders import ERROR, MET, NOT_MET, apply, evaluate, rule, rules

DEEP = {"a": [1, {"b": None}]}

CASES: list[tuple[str, object, object, EvaluationOutcome]] = [
    ("equals", "push", "push", MET),
    ("eq", "push", "Push", NOT_MET),
    ("equals", 1, 1.0, MET),
    ("equals", 1, "1", NOT_MET),
    ("equals", 1, True, NOT_MET),
    ("equals", True, 1, NOT_MET),
    ("equals", [1], [True], NOT_MET),
    ("equals", DEEP, {"a": [1.0, {"b": None}]}, MET),
    ("equals", DEEP, {"a": [1, {"b": None}], "c": 1}, NOT_MET),
    ("equals", None, None, MET),
    ("equals", 10**400, 1.5, NOT_MET),
    ("not_equals", "a", "b", MET),
    ("ne", "a", "a", NOT_MET),
    ("not_equals", None, None, NOT_MET),
    ("in", "a", ["a", 1], MET),
    ("in_list", 1.0, ["a", 1], MET),
    ("in", True, [1], NOT_MET),
    ("in", None, [None], MET),
    ("in", [1], [[1]], MET),
    ("not_in", "a", ["b"], MET),
    ("not_in", "a", ["a"], NOT_MET),
    ("greater_than", 2, 1, MET),
    ("gt", 1, 1, NOT_MET),
    ("gt", 10**400, 1.5, MET),
    ("greater_than_or_equals", 1, 1.0, MET),
    ("greater_than_or_equal", 0, 1, NOT_MET),
    ("gte", 2, 1, MET),
    ("less_than", 1, 2, MET),
    ("lt", 2, 2, NOT_MET),
    ("less_than_or_equals", 2, 2, MET),
    ("less_than_or_equal", 3, 2, NOT_MET),
    ("lte", 1, 2, MET),
    ("between", 1, [1, 2], MET),
    ("between", 2.0, [1, 2], MET),
    ("between", 3, [1, 2], NOT_MET),
    ("between", "2025-01-31", ["2025-01-01", "2025-01-31"], MET),
    ("between", "2025-01-31T00:01:00", ["2025-01-01", "2025-01-31"], NOT_MET),
    ("before", "2025-01-01", "2025-01-02", MET),
    ("before", "2025-01-02T00:30:00+01:00", "2025-01-02T00:00:00Z", MET),
    ("before", "2025-01-02", "2025-01-02", NOT_MET),
    ("after", "2025-01-02T00:00:01", "2025-01-02", MET),
    ("after", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", NOT_MET),
    ("contains", "a push event", "push", MET),
    ("contains", "a push event", 1, NOT_MET),
    ("contains", ["bug", 1], 1.0, MET),
    ("contains", ["bug", 1], True, NOT_MET),
    ("not_contains", ["bug"], "urgent", MET),
    ("not_contains", "urgent!", "urgent", NOT_MET),
    ("starts_with", "refs/heads/main", "refs/heads/", MET),
    ("starts_with", "main", "refs", NOT_MET),
    ("ends_with", "report.pdf", ".pdf", MET),
    ("ends_with", "report.pdf", ".doc", NOT_MET),
    ("matches", "refs/tags/v1", r"refs/tags/v\d", MET),
    ("matches", "refs/tags/v1.2", r"refs/tags/v\d", MET),
    ("matches", "refs/tags/v1.2", r"refs/tags/v\d$", NOT_MET),
    ("matches", "my refs", "refs", NOT_MET),
    ("matches_regex", "x\ud800y", "x\ufffdy", MET),
    ("matches", "\ud83d\ude00", "😀", MET),
    ("length_equals", "häh", 3, MET),
    ("length_equals", [], 1, NOT_MET),
    ("length_greater_than", [1, 2], 1, MET),
    ("length_less_than", {"a": 1}, 2, MET),
]

MISFITS: list[tuple[str, object, object, str]] = [
    ("gt", {}, 1, "The operator needs a number, but the value is an object"),
    ("gt", "5", 1, "The operator needs a number, but the value is text"),
    ("lte", True, 1, "The operator needs a number, but the value is true or false"),
    ("between", "5", [1, 9], "The operator needs a number, but the value is text"),
    (
        "before",
        "soon",
        "2025-01-01",
        "The operator needs an ISO 8601 date or time, but the value is text",
    ),
    (
        "after",
        1735689600,
        "2025-01-01",
        "The operator needs an ISO 8601 date or time, but the value is a number",
    ),
    ("contains", 12, 1, "The operator needs text or a list, but the value is a number"),
    (
        "not_contains",
        {},
        1,
        "The operator needs text or a list, but the value is an object",
    ),
    ("starts_with", 12, "1", "The operator needs text, but the value is a number"),
    ("ends_with", [], "1", "The operator needs text, but the value is a list"),
    (
        "matches",
        "a" * 100_001,
        "a+",
        "The operator needs text of at most 100,000 characters, but the value is text",
    ),
    ("matches", False, "f", "The operator needs text, but the value is true or false"),
    (
        "length_equals",
        3,
        3,
        "The operator needs text, a list or an object, but the value is a number",
    ),
]

WHERE_MISSING = {
    "not_equals": 1,
    "ne": 1,
    "not_in": [1],
    "not_contains": "a",
    "is_empty": None,
    "not_exists": None,
}


@pytest.mark.parametrize(("operator", "actual", "expected", "outcome"), CASES)
def test_an_operator_compares_values(
    operator: str, actual: object, expected: object, outcome: EvaluationOutcome
) -> None:
    assert apply(operator, actual, expected) is outcome


@pytest.mark.parametrize(("operator", "actual", "expected", "reason"), MISFITS)
def test_a_kind_that_an_operator_does_not_support_is_an_error(
    operator: str, actual: object, expected: object, reason: str
) -> None:
    condition = rules(rule("body.x", operator, expected))

    evaluation = evaluate(condition, {"body": {"x": actual}})

    traces = evaluation.trace["rules"]
    assert isinstance(traces, list)
    assert (evaluation.outcome, traces[0]["error"]) == (ERROR, reason)


@pytest.mark.parametrize(
    ("actual", "is_empty"),
    [(None, True), ("", True), ([], True), ({}, True), (" ", False), (0, False),
     (False, False), ([None], False)],
)  # fmt: skip
def test_null_and_values_without_items_are_empty(
    actual: object, is_empty: bool
) -> None:
    assert apply("is_empty", actual) is (MET if is_empty else NOT_MET)
    assert apply("is_not_empty", actual) is (NOT_MET if is_empty else MET)


def test_null_exists() -> None:
    assert apply("exists", None) is MET
    assert apply("not_exists", None) is NOT_MET


def samples() -> dict[str, object]:
    """Return an expected value for each operator."""
    used = {operator: expected for operator, _, expected, _ in CASES}
    return {name: used.get(name) for name in operators.names()}


@pytest.mark.parametrize("operator", operators.names())
def test_a_missing_field_meets_only_the_opposites(operator: str) -> None:
    condition = rules(rule("body.x", operator, samples()[operator]))

    outcome = evaluate(condition, {"body": {}}).outcome

    assert outcome is (MET if operator in WHERE_MISSING else NOT_MET)


@pytest.mark.parametrize(
    "operator",
    sorted(set(operators.names()) - {"equals", "eq", "not_equals", "ne", "in"}
           - {"in_list", "not_in", "exists", "not_exists"}),
)  # fmt: skip
def test_null_counts_as_missing_for_operators_that_reject_null(operator: str) -> None:
    expected = samples()[operator]

    outcome = apply(operator, None, expected)

    assert outcome is (MET if operator in WHERE_MISSING else NOT_MET)


@pytest.mark.parametrize("operator", operators.names())
def test_no_operator_recurses_into_a_deeply_nested_value(operator: str) -> None:
    actual: list[object] = []
    for _ in range(100_000):
        actual = [actual]

    assert apply(operator, actual, samples()[operator]) in set(EvaluationOutcome)


@pytest.mark.parametrize("operator", operators.names())
def test_no_operator_formats_a_number_of_thousands_of_digits(operator: str) -> None:
    assert apply(operator, 10**5000, samples()[operator]) in set(EvaluationOutcome)


@pytest.mark.parametrize(
    ("operator", "text", "expected", "outcome"),
    [
        ("gt", "5", 4, MET),
        ("lt", "-1.5e1", 0, MET),
        ("eq", "3", 3.0, MET),
        ("ne", "3", 3, NOT_MET),
        ("eq", "3", "3", MET),
        ("in", "3", [3], MET),
        ("in", "3", ["3", 4], MET),
        ("between", "1", [0, 2], MET),
        ("length_equals", "123", 3, MET),
        ("contains", "123", "2", MET),
        ("gt", "1_0", 4, ERROR),
        ("gt", " 5", 4, ERROR),
        ("gt", "\u0665", 4, ERROR),
        ("gt", "nan", 4, ERROR),
        ("gt", "1" * 65, 4, ERROR),
        ("eq", "five", 5, NOT_MET),
    ],
)
def test_numbers_are_read_from_text_in_the_query(
    operator: str, text: str, expected: object, outcome: EvaluationOutcome
) -> None:
    condition = rules(rule("query.n", operator, expected))

    assert evaluate(condition, {"query": {"n": text}}).outcome is outcome


def test_numbers_are_read_from_a_body_only_if_it_is_a_form() -> None:
    condition = rules(rule("body.n", "eq", 5))
    values = {"body": {"n": "5"}}

    assert evaluate(condition, values).outcome is NOT_MET
    assert evaluate(condition, values, frozenset({("body",)})).outcome is MET


def test_every_required_operator_is_registered() -> None:  # appendix 3
    import_modules("conditions.operators")

    assert set(operators.names()) == {
        "equals", "eq", "not_equals", "ne",
        "greater_than", "gt", "greater_than_or_equals", "greater_than_or_equal", "gte",
        "less_than", "lt", "less_than_or_equals", "less_than_or_equal", "lte",
        "contains", "not_contains", "starts_with", "ends_with",
        "in", "in_list", "not_in", "is_empty", "is_not_empty", "exists", "not_exists",
        "matches", "matches_regex", "between", "before", "after",
        "length_equals", "length_greater_than", "length_less_than",
    }  # fmt: skip
