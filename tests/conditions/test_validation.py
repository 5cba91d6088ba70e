from __future__ import annotations

import pytest

from common.errors import Fault
from conditions.building import MAX_DEPTH, MAX_FAULTS, MAX_RULES
from conditions.engine import validate_condition
from tests.conditions.builders import combined, rule, rules

SOUND = rule("body.x", "equals", 1)


def nested(depth: int) -> object:
    condition: object = rules(SOUND)
    for _ in range(depth - 1):
        condition = combined("NOT", condition)
    return condition


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        (None, Fault("", "a condition is an object")),
        ([], Fault("", "a condition is an object")),
        (
            {"rules": []},
            Fault("/type", "a condition names its type; available: combined, rule"),
        ),
        (
            {"type": "llm", "description": "when a file is sent"},
            Fault(
                "/type",
                "condition type 'llm' is not available: no such type here; "
                "available: combined, rule",
            ),
        ),
        (
            {"type": "rules"},
            Fault(
                "/type",
                "condition type 'rules' is not available: did you mean 'rule'?; "
                "available: combined, rule",
            ),
        ),
        (
            {"type": "rule"},
            Fault("/rules", "a rule condition needs a list of at least one rule"),
        ),
        (
            rules(5),
            Fault("/rules/0", "a rule is an object with field, operator and value"),
        ),
        (
            combined("AND"),
            Fault(
                "/conditions",
                "a combined condition needs a list of at least one condition",
            ),
        ),
        (
            combined("AND", {}),
            Fault(
                "/conditions/0/type",
                "a condition names its type; available: combined, rule",
            ),
        ),
        (
            combined("NOT", rules(SOUND), rules(SOUND)),
            Fault("/conditions", "NOT takes exactly one condition"),
        ),
        (
            combined("XOR", rules(SOUND)),
            Fault("/logic", "unknown logic 'XOR'; known: AND, OR, NOT"),
        ),
        (
            rules(SOUND, logic="NOT"),
            Fault("/logic", "unknown logic 'NOT'; known: AND, OR"),
        ),
        (
            {**rules(SOUND), "rule~/s": 1},
            Fault("/rule~0~1s", "unknown key 'rule~/s'; did you mean 'rules'?"),
        ),
        (
            rules({**SOUND, "feild": "body.y"}),
            Fault("/rules/0/feild", "unknown key 'feild'; did you mean 'field'?"),
        ),
        (
            rules({"operator": "exists"}),
            Fault("/rules/0/field", "a rule names its field"),
        ),
        (
            rules({"field": "body.x"}),
            Fault("/rules/0/operator", "a rule names its operator"),
        ),
        (
            combined("AND", rules(SOUND), rules(SOUND, rule("requst.x", "exists"))),
            Fault(
                "/conditions/1/rules/1/field",
                "unknown field root 'requst'; did you mean 'request'?",
            ),
        ),
    ],
)
def test_a_fault_is_told_with_its_place(condition: object, fault: Fault) -> None:
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
def test_a_value_that_does_not_fit_its_operator_is_refused(
    written: object, detail: str
) -> None:
    assert validate_condition(rules(written)) == [Fault("/rules/0/value", detail)]


def test_a_value_nested_too_deep_is_refused() -> None:
    value: object = 1
    for _ in range(17):
        value = [value]

    faults = validate_condition(rules(rule("body.x", "equals", value)))

    assert faults == [
        Fault("/rules/0/value", "equals takes values nested at most 16 deep")
    ]


@pytest.mark.parametrize("operator", ["exists", "is_empty"])
def test_a_null_value_is_as_good_as_none(operator: str) -> None:
    assert validate_condition(rules(rule("body.x", operator, None))) == []


def test_every_fault_is_told() -> None:
    written = {"field": "bdy.x", "operator": "equal", "vlaue": 1}

    faults = validate_condition({"type": "rule", "rules": [written], "logic": 1})

    assert [fault.pointer for fault in faults] == [
        "/logic",
        "/rules/0/vlaue",
        "/rules/0/field",
        "/rules/0/operator",
    ]


def test_conditions_nest_as_deep_as_allowed() -> None:
    assert validate_condition(nested(MAX_DEPTH)) == []


def test_conditions_nested_deeper_are_refused() -> None:
    faults = validate_condition(nested(MAX_DEPTH + 1))

    assert faults == [
        Fault("/conditions/0" * MAX_DEPTH, "conditions nested more than 16 deep")
    ]


def test_as_many_rules_as_allowed_may_stand_in_several_places() -> None:
    half = rules(*[SOUND] * (MAX_RULES // 2))

    assert validate_condition(combined("OR", half, half)) == []


def test_more_rules_are_refused_wherever_they_stand() -> None:
    half = rules(*[SOUND] * (MAX_RULES // 2))

    faults = validate_condition(combined("OR", half, half, rules(SOUND)))

    assert faults == [
        Fault("/conditions/2/rules", "more than 200 rules in one condition")
    ]


def test_a_list_of_too_many_conditions_is_refused_unread() -> None:
    faults = validate_condition(combined("OR", *[{}] * (MAX_RULES + 1)))

    assert faults == [Fault("/conditions", "more than 200 conditions in one list")]


def test_the_list_of_faults_is_bounded() -> None:
    condition = {**rules(SOUND), **{f"zz{number}": 1 for number in range(1000)}}

    assert len(validate_condition(condition)) == MAX_FAULTS


def test_a_long_name_is_cut_in_the_message() -> None:
    faults = validate_condition(rules(rule("body.x", "\ud800" + "z" * 10_000)))

    assert faults[0].detail.startswith(f"unknown operator '\ufffd{'z' * 59}…'; known: ")
