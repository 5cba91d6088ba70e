from __future__ import annotations

from collections.abc import Mapping

from conditions.base import (
    MAX_RULES,
    OPPOSITE,
    CompiledCondition,
    ConditionType,
    Evaluation,
    Location,
    Logic,
    Trace,
    build_condition,
    condition_types,
    join_operands,
    read_logic,
)
from conditions.document import Document

KEYS = frozenset({"type", "conditions", "logic"})


@condition_types.register("combined")
class CombinedCondition(ConditionType):
    """Other conditions under AND, OR or NOT: `{"conditions": […], "logic": "OR"}`."""

    def build(
        self, condition: Mapping[str, object], location: Location
    ) -> CompiledCondition | None:
        location.reject_unknown_keys(condition, KEYS)
        logic = read_logic(condition, location, tuple(Logic))
        operands = _build_operands(condition.get("conditions"), location)
        if logic is Logic.NOT and len(operands) > 1:
            location.at("conditions").add_fault("NOT takes exactly one condition")
        return _join(logic, operands) if logic else None


def _build_operands(written: object, location: Location) -> list[CompiledCondition]:
    listed = location.at("conditions")
    if not isinstance(written, list) or not written:
        listed.add_fault("A combined condition needs a list of at least one condition")
        return []
    if len(written) > MAX_RULES:
        listed.add_fault(f"A list can have at most {MAX_RULES} conditions")
        return []
    built = [
        build_condition(operand, location.nested("conditions", position))
        for position, operand in enumerate(written)
    ]
    return [operand for operand in built if operand is not None]


def _join(logic: Logic, operands: list[CompiledCondition]) -> CompiledCondition:
    label: Trace = {"type": "combined", "logic": logic.value}
    evaluate_operands = join_operands(logic, operands)
    negates = logic is Logic.NOT

    def evaluate(document: Document) -> Evaluation:
        outcome, traces = evaluate_operands(document)
        if negates:
            outcome = OPPOSITE[outcome]
        return Evaluation(outcome, {**label, "outcome": outcome, "conditions": traces})

    cost = sum(operand.cost for operand in operands)
    return CompiledCondition(evaluate=evaluate, label=label, cost=cost)
