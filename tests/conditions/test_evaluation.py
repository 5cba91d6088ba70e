from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from conditions.engine import EvaluationOutcome
from tests.conditions.builders import (
    ERROR,
    MET,
    NOT_MET,
    combined,
    evaluate,
    rule,
    rules,
)

WRITTEN = {
    MET: rule("body.n", "equals", 1),
    NOT_MET: rule("body.n", "equals", 2),
    ERROR: rule("body", "greater_than", 1),
}
VALUES = {"body": {"n": 1}}

AND_TABLE = [
    (MET, MET, MET),
    (MET, NOT_MET, NOT_MET),
    (MET, ERROR, ERROR),
    (NOT_MET, NOT_MET, NOT_MET),
    (NOT_MET, ERROR, NOT_MET),
    (ERROR, ERROR, ERROR),
]
OR_TABLE = [
    (MET, MET, MET),
    (MET, NOT_MET, MET),
    (MET, ERROR, MET),
    (NOT_MET, NOT_MET, NOT_MET),
    (NOT_MET, ERROR, ERROR),
    (ERROR, ERROR, ERROR),
]
TABLE = [("AND", *row) for row in AND_TABLE] + [("OR", *row) for row in OR_TABLE]


class Watched(Mapping[str, object]):
    """Values that record which of them were read."""

    def __init__(self, values: dict[str, object]) -> None:
        self.values_by_name = values
        self.read: list[str] = []

    def __getitem__(self, name: str) -> object:
        self.read.append(name)
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


@pytest.mark.parametrize(("logic", "first", "second", "outcome"), TABLE)
def test_two_rules_join_in_either_order(
    logic: str,
    first: EvaluationOutcome,
    second: EvaluationOutcome,
    outcome: EvaluationOutcome,
) -> None:
    there = rules(WRITTEN[first], WRITTEN[second], logic=logic)
    back = rules(WRITTEN[second], WRITTEN[first], logic=logic)

    assert evaluate(there, VALUES).outcome is outcome
    assert evaluate(back, VALUES).outcome is outcome


@pytest.mark.parametrize(("logic", "first", "second", "outcome"), TABLE)
def test_two_conditions_join_in_either_order(
    logic: str,
    first: EvaluationOutcome,
    second: EvaluationOutcome,
    outcome: EvaluationOutcome,
) -> None:
    pair = rules(WRITTEN[first]), rules(WRITTEN[second])

    assert evaluate(combined(logic, *pair), VALUES).outcome is outcome
    assert evaluate(combined(logic, *reversed(pair)), VALUES).outcome is outcome


@pytest.mark.parametrize(
    ("inner", "outcome"), [(MET, NOT_MET), (NOT_MET, MET), (ERROR, ERROR)]
)
def test_not_negates_the_outcome_and_keeps_an_error(
    inner: EvaluationOutcome, outcome: EvaluationOutcome
) -> None:
    condition = combined("NOT", rules(WRITTEN[inner]))

    assert evaluate(condition, VALUES).outcome is outcome


@pytest.mark.parametrize("logic", ["or", "Or", "OR"])
def test_logic_is_read_in_any_letter_case(logic: str) -> None:
    condition = rules(WRITTEN[NOT_MET], WRITTEN[MET], logic=logic)

    assert evaluate(condition, VALUES).outcome is MET


def test_the_default_logic_is_and() -> None:
    condition = {"type": "rule", "rules": [WRITTEN[NOT_MET], WRITTEN[MET]]}

    assert evaluate(condition, VALUES).outcome is NOT_MET


@pytest.mark.parametrize(("logic", "first"), [("AND", 8), ("OR", 9)])
def test_evaluation_stops_at_a_decisive_rule(logic: str, first: int) -> None:
    values = Watched({"hour": 9, "history": {"last": 1}})
    condition = rules(
        rule("hour", "eq", first), rule("history.last", "eq", 1), logic=logic
    )

    evaluate(condition, values)

    assert values.read == ["hour"]


def test_a_combined_condition_evaluates_the_cheap_operand_first() -> None:
    values = Watched({"hour": 9, "weekday": 1, "history": {}})
    costly = rules(rule("history.a", "exists"), rule("history.b", "exists"))
    cheap = rules(rule("hour", "eq", 8))

    evaluation = evaluate(combined("AND", costly, cheap), values)

    assert evaluation.outcome is NOT_MET
    assert values.read == ["hour"]


def test_an_error_does_not_stop_the_search_for_a_decisive_answer() -> None:
    values = Watched({"body": {}, "hour": 9})
    condition = rules(rule("body", "gt", 1), rule("hour", "eq", 9), logic="OR")

    assert evaluate(condition, values).outcome is MET
    assert values.read == ["body", "hour"]


def test_conditions_can_be_nested() -> None:
    inner = combined("NOT", combined("AND", rules(WRITTEN[MET]), rules(WRITTEN[ERROR])))

    assert evaluate(inner, VALUES).outcome is ERROR
    assert evaluate(combined("OR", inner, rules(WRITTEN[MET])), VALUES).outcome is MET
