from __future__ import annotations

from collections.abc import Mapping, Sequence

from conditions.building import (
    MAX_RULES,
    ConditionType,
    Place,
    build_condition,
    condition_types,
)
from conditions.document import Document
from conditions.logic import Logic, evaluate_events, read_logic
from conditions.outcomes import OPPOSITE, CompiledCondition, Judge, Outcome, Trace

KEYS = frozenset({"type", "conditions", "logic"})


@condition_types.register("combined")
class CombinedCondition(ConditionType):
    """Other conditions under AND, OR or NOT: `{"conditions": […], "logic": "OR"}`."""

    def build(
        self, condition: Mapping[str, object], place: Place
    ) -> CompiledCondition | None:
        place.refuse_unknown_keys(condition, KEYS)
        logic = read_logic(condition, place, tuple(Logic))
        operands = _build_operands(condition.get("conditions"), place)
        if logic is Logic.NOT and len(operands) > 1:
            place.at("conditions").refuse("NOT takes exactly one condition")
        return _combined(logic, operands) if logic else None


def _build_operands(written: object, place: Place) -> list[CompiledCondition]:
    listed = place.at("conditions")
    if not isinstance(written, list) or not written:
        listed.refuse("a combined condition needs a list of at least one condition")
        return []
    if len(written) > MAX_RULES:
        listed.refuse(f"more than {MAX_RULES} conditions in one list")
        return []
    built = [
        build_condition(operand, place.inside("conditions", position))
        for position, operand in enumerate(written)
    ]
    return [operand for operand in built if operand is not None]


def _combined(logic: Logic, operands: Sequence[CompiledCondition]) -> CompiledCondition:
    label: Trace = {"type": "combined", "logic": logic.value}
    return CompiledCondition(
        judge=_judge(logic, operands, label),
        label=label,
        cost=sum(operand.cost for operand in operands),
    )


def _judge(logic: Logic, operands: Sequence[CompiledCondition], label: Trace) -> Judge:
    judge_operands = evaluate_events(logic, operands)
    negates = logic is Logic.NOT

    def judge(document: Document) -> tuple[Outcome, Trace]:
        outcome, traces = judge_operands(document)
        if negates:
            outcome = OPPOSITE[outcome]
        return outcome, {**label, "outcome": outcome, "conditions": traces}

    return judge
