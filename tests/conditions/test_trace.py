from __future__ import annotations

import pytest

from conditions.bounded import bounded
from tests.conditions.builders import (
    combined,
    evaluate,
    rule,
    rules,
    trace_of_rule,
)


def test_a_rule_tells_what_it_compared() -> None:
    trace = trace_of_rule(rule("body.amount", "gt", 1000), {"body": {"amount": 940}})

    assert trace == {
        "field": "body.amount",
        "operator": "gt",
        "expected": 1000,
        "actual": 940,
        "outcome": "not_met",
    }


def test_a_missing_field_is_said_to_be_missing() -> None:
    trace = trace_of_rule(rule("body.amount", "gt", 1000), {"body": {}})

    assert trace == {
        "field": "body.amount",
        "operator": "gt",
        "expected": 1000,
        "actual": None,
        "missing": True,
        "outcome": "not_met",
    }


def test_an_error_is_told_in_plain_words() -> None:
    trace = trace_of_rule(rule("body.amount", "gt", 1), {"body": {"amount": {"a": 1}}})

    assert trace == {
        "field": "body.amount",
        "operator": "gt",
        "expected": 1,
        "actual": {"a": 1},
        "outcome": "error",
        "error": "a number is needed here, but this is an object",
    }


def test_an_operator_without_value_tells_of_no_expected_value() -> None:
    trace = trace_of_rule(rule("body.note", "exists"), {"body": {"note": None}})

    assert trace == {
        "field": "body.note",
        "operator": "exists",
        "actual": None,
        "outcome": "met",
    }


def test_what_was_not_evaluated_stands_in_its_place() -> None:
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


def test_a_rule_not_evaluated_keeps_what_it_would_have_asked() -> None:
    condition = rules(rule("hour", "eq", 8), rule("body.a", "eq", 1))

    traces = evaluate(condition, {"hour": 9}).trace["rules"]

    assert isinstance(traces, list)
    assert traces[1] == {
        "field": "body.a",
        "operator": "eq",
        "expected": 1,
        "outcome": "not_evaluated",
    }


def test_long_values_are_shortened_and_said_to_be() -> None:
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
def test_short_values_are_kept_as_they_are(value: object) -> None:
    assert bounded(value) == (value, None)


@pytest.mark.parametrize(
    ("value", "stand_in", "shortened"),
    [
        ("a\0b\ud800c", "a\ufffdb\ufffdc", None),
        ([{"\0": "\ud800"}], [{"\ufffd": "\ufffd"}], None),
        (float("inf"), "inf", None),
        (2**63, "9223372036854775808", None),
        (list(range(1000)), None, "list of 1000 items"),
        ({"k" * 300: 1}, None, "object of 1 keys"),
    ],
)
def test_what_a_json_column_cannot_hold_is_replaced(
    value: object, stand_in: object, shortened: str | None
) -> None:
    shown, said = bounded(value)

    assert said == shortened
    if stand_in is None:
        assert isinstance(shown, str)
        assert len(shown) == 201
    else:
        assert shown == stand_in


def test_a_number_of_thousands_of_digits_is_not_written_out() -> None:
    assert bounded(10**5000) == ("…", "whole number of 16610 bits")


def test_a_value_nested_beyond_measure_is_shortened() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]

    shown, said = bounded(value)

    assert shown == "[" * 200 + "…"
    assert said == "list of 1 items"
