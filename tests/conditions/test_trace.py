from __future__ import annotations

import pytest

from conditions.values import bounded
from tests.conditions.builders import (
    combined,
    evaluate,
    rule,
    rules,
    trace_of_rule,
)


def test_a_rule_records_the_values_it_compared() -> None:
    trace = trace_of_rule(rule("body.amount", "gt", 1000), {"body": {"amount": 940}})

    assert trace == {
        "field": "body.amount",
        "operator": "gt",
        "expected": 1000,
        "actual": 940,
        "outcome": "not_met",
    }


def test_a_missing_field_is_marked_as_missing() -> None:
    trace = trace_of_rule(rule("body.amount", "gt", 1000), {"body": {}})

    assert trace == {
        "field": "body.amount",
        "operator": "gt",
        "expected": 1000,
        "actual": None,
        "missing": True,
        "outcome": "not_met",
    }


def test_an_error_is_recorded_as_a_sentence() -> None:
    trace = trace_of_rule(rule("body.amount", "gt", 1), {"body": {"amount": {"a": 1}}})

    assert trace == {
        "field": "body.amount",
        "operator": "gt",
        "expected": 1,
        "actual": {"a": 1},
        "outcome": "error",
        "error": "The operator needs a number, but the value is an object",
    }


def test_an_operator_without_a_value_records_no_expected_value() -> None:
    trace = trace_of_rule(rule("body.note", "exists"), {"body": {"note": None}})

    assert trace == {
        "field": "body.note",
        "operator": "exists",
        "actual": None,
        "outcome": "met",
    }


def test_an_operand_that_was_not_evaluated_keeps_its_position() -> None:
    costly = rules(rule("body.a", "exists"), rule("body.b", "exists"))
    condition = combined("OR", costly, rules(rule("hour", "eq", 9)))

    trace = evaluate(condition, {"hour": 9}).trace

    assert trace == {
        "type": "combined",
        "logic": "OR",
        "outcome": "met",
        "conditions": [
            {"type": "rule", "logic": "AND", "outcome": "not_evaluated"},
            {
                "type": "rule",
                "logic": "AND",
                "outcome": "met",
                "rules": [
                    {
                        "field": "hour",
                        "operator": "eq",
                        "expected": 9,
                        "actual": 9,
                        "outcome": "met",
                    }
                ],
            },
        ],
    }


def test_a_rule_that_was_not_evaluated_keeps_its_field_and_operator() -> None:
    condition = rules(rule("hour", "eq", 8), rule("body.a", "eq", 1))

    traces = evaluate(condition, {"hour": 9}).trace["rules"]

    assert isinstance(traces, list)
    assert traces[1] == {
        "field": "body.a",
        "operator": "eq",
        "expected": 1,
        "outcome": "not_evaluated",
    }


def test_long_values_are_shortened_and_marked() -> None:
    written = rule("body.text", "eq", "b" * 300)

    trace = trace_of_rule(written, {"body": {"text": "a" * 5000}})

    assert trace == {
        "field": "body.text",
        "operator": "eq",
        "expected": "b" * 200 + "…",
        "expected_shortened": "text of 300 characters",
        "actual": "a" * 200 + "…",
        "actual_shortened": "text of 5000 characters",
        "outcome": "not_met",
    }


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 1.5, "", "é", [], {}, [1, {"a": [None, "b"]}], {"a": [1, 2]}],
)
def test_short_values_are_not_changed(value: object) -> None:
    assert bounded(value) == (value, None)


@pytest.mark.parametrize(
    ("value", "expected", "shortened"),
    [
        ("a\0b\ud800c", "a\ufffdb\ufffdc", None),
        ([{"\0": "\ud800"}], [{"\ufffd": "\ufffd"}], None),
        (float("inf"), "inf", None),
        (2**63, "9223372036854775808", None),
        (list(range(1000)), None, "list of 1000 items"),
        ({"k" * 300: 1}, None, "object of 1 keys"),
    ],
)
def test_values_that_jsonb_rejects_are_replaced(
    value: object, expected: object, shortened: str | None
) -> None:
    shown, description = bounded(value)

    assert description == shortened
    if expected is None:
        assert isinstance(shown, str)
        assert len(shown) == 201
    else:
        assert shown == expected


def test_a_number_of_thousands_of_digits_is_not_formatted() -> None:
    assert bounded(10**5000) == ("…", "whole number of 16610 bits")


def test_a_deeply_nested_value_is_shortened() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]

    shown, description = bounded(value)

    assert shown == "[" * 200 + "…"
    assert description == "list of 1 items"
