from __future__ import annotations

import pytest

from common.errors import Fault
from conditions.base import MAX_DEPTH, MAX_FAULTS, MAX_RULES
from conditions.engine import validate_condition
from tests.conditions.builders import combined, rule, rules

VALID = rule("body.x", "equals", 1)


def nested(depth: int) -> object:
    condition: object = rules(VALID)
    for _ in range(depth - 1):
        condition = combined("NOT", condition)
    return condition


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        (None, Fault("", "A condition must be a JSON object")),
        ([], Fault("", "A condition must be a JSON object")),
        (
            {"rules": []},
            Fault("/type", "A condition needs a type; available: combined, rule"),
        ),
        (
            {"type": "llm", "description": "when a file is sent"},
            Fault(
                "/type",
                "Condition type 'llm' is not available; available: combined, rule",
            ),
        ),
        (
            {"type": "rules"},
            Fault(
                "/type",
                "Condition type 'rules' is not available; did you mean 'rule'? "
                "available: combined, rule",
            ),
        ),
        (
            {"type": "rule"},
            Fault("/rules", "A rule condition needs a list of at least one rule"),
        ),
        (
            rules(5),
            Fault(
                "/rules/0", "A rule must be an object with field, operator and value"
            ),
        ),
        (
            combined("AND"),
            Fault(
                "/conditions",
                "A combined condition needs a list of at least one condition",
            ),
        ),
        (
            combined("AND", {}),
            Fault(
                "/conditions/0/type",
                "A condition needs a type; available: combined, rule",
            ),
        ),
        (
            combined("NOT", rules(VALID), rules(VALID)),
            Fault("/conditions", "NOT takes exactly one condition"),
        ),
        (
            combined("XOR", rules(VALID)),
            Fault("/logic", "Unknown logic 'XOR'; known: AND, OR, NOT"),
        ),
        (
            rules(VALID, logic="NOT"),
            Fault("/logic", "Unknown logic 'NOT'; known: AND, OR"),
        ),
        (
            {**rules(VALID), "rule~/s": 1},
            Fault("/rule~0~1s", "Unknown key 'rule~/s'; did you mean 'rules'?"),
        ),
        (
            rules({**VALID, "feild": "body.y"}),
            Fault("/rules/0/feild", "Unknown key 'feild'; did you mean 'field'?"),
        ),
        (
            rules({"operator": "exists"}),
            Fault("/rules/0/field", "A rule needs a field, such as body.id"),
        ),
        (
            rules({"field": "body.x"}),
            Fault("/rules/0/operator", "A rule needs an operator, such as equals"),
        ),
        (
            combined("AND", rules(VALID), rules(VALID, rule("requst.x", "exists"))),
            Fault(
                "/conditions/1/rules/1/field",
                "Unknown field root 'requst'; did you mean 'request'?",
            ),
        ),
    ],
)
def test_a_fault_names_its_location(condition: object, fault: Fault) -> None:
    assert validate_condition(condition) == [fault]


@pytest.mark.parametrize(
    ("written", "detail"),
    [
        (rule("body.x", "equals"), "equals needs a value"),
        (rule("body.x", "exists", False), "exists takes no value"),
        (rule("body.x", "not_in", "a"), "not_in needs a list"),
        (rule("body.x", "starts_with", 1), "starts_with needs text"),
        (
            rule("body.x", "gt", "5"),
            "gt needs a number (to compare dates, use before, after or between)",
        ),
        (
            rule("body.x", "lte", True),
            "lte needs a number (to compare dates, use before, after or between)",
        ),
        (
            rule("body.x", "lt", float("inf")),
            "lt needs a number (to compare dates, use before, after or between)",
        ),
        (
            rule("body.x", "after", "yesterday"),
            "after needs an ISO 8601 date or time as text, such as 2025-03-01",
        ),
        (rule("body.x", "between", [1]), "between needs a list of two, [low, high]"),
        (
            rule("body.x", "between", [1, "2025-01-01"]),
            "between needs two numbers or two ISO 8601 dates",
        ),
        (rule("body.x", "between", [2, 1]), "between needs the lower bound first"),
        (
            rule("body.x", "length_equals", -1),
            "length_equals needs a whole number, zero or more",
        ),
        (
            rule("body.x", "matches", "(a"),
            "matches needs a valid RE2 pattern: missing ): (a",
        ),
        (
            rule("body.x", "matches", "(?=a)"),
            "matches needs a valid RE2 pattern: invalid perl operator: (?=",
        ),
        (
            rule("body.x", "matches", "a" * 1001),
            "matches needs a pattern of at most 1000 characters",
        ),
        (
            rule("body.x", "matches", "\ud800"),
            "matches needs a pattern of valid Unicode text",
        ),
    ],
)
def test_a_value_that_does_not_fit_its_operator_is_rejected(
    written: object, detail: str
) -> None:
    assert validate_condition(rules(written)) == [Fault("/rules/0/value", detail)]


def test_a_value_nested_too_deep_is_rejected() -> None:
    value: object = 1
    for _ in range(17):
        value = [value]

    faults = validate_condition(rules(rule("body.x", "equals", value)))

    assert faults == [
        Fault("/rules/0/value", "equals takes values nested at most 16 deep")
    ]


@pytest.mark.parametrize("operator", ["exists", "is_empty"])
def test_a_null_value_counts_as_no_value(operator: str) -> None:
    assert validate_condition(rules(rule("body.x", operator, None))) == []


def test_every_fault_is_reported() -> None:
    written = {"field": "bdy.x", "operator": "equal", "vlaue": 1}

    faults = validate_condition({"type": "rule", "rules": [written], "logic": 1})

    assert [fault.pointer for fault in faults] == [
        "/logic",
        "/rules/0/vlaue",
        "/rules/0/field",
        "/rules/0/operator",
    ]


def test_conditions_can_be_nested_up_to_the_limit() -> None:
    assert validate_condition(nested(MAX_DEPTH)) == []


def test_conditions_nested_too_deep_are_rejected() -> None:
    faults = validate_condition(nested(MAX_DEPTH + 1))

    assert faults == [
        Fault("/conditions/0" * MAX_DEPTH, "Conditions can be nested at most 16 deep")
    ]


def test_the_limit_of_rules_counts_over_all_nested_conditions() -> None:
    half = rules(*[VALID] * (MAX_RULES // 2))

    assert validate_condition(combined("OR", half, half)) == []


def test_a_nested_rule_over_the_limit_is_rejected() -> None:
    half = rules(*[VALID] * (MAX_RULES // 2))

    faults = validate_condition(combined("OR", half, half, rules(VALID)))

    assert faults == [
        Fault("/conditions/2/rules", "A condition can have at most 200 rules")
    ]


def test_a_list_of_too_many_conditions_is_rejected_unread() -> None:
    faults = validate_condition(combined("OR", *[{}] * (MAX_RULES + 1)))

    assert faults == [Fault("/conditions", "A list can have at most 200 conditions")]


def test_the_list_of_faults_is_bounded() -> None:
    condition = {**rules(VALID), **{f"zz{number}": 1 for number in range(1000)}}

    assert len(validate_condition(condition)) == MAX_FAULTS


def test_a_message_shortens_a_long_name() -> None:
    faults = validate_condition(rules(rule("body.x", "\ud800" + "z" * 10_000)))

    assert faults[0].detail.startswith(f"Unknown operator '\ufffd{'z' * 59}…'; known: ")
