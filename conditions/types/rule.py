from __future__ import annotations

from collections.abc import Mapping, Sequence

from conditions.building import ConditionType, Place, condition_types
from conditions.document import Document
from conditions.logic import Logic, evaluate_events, read_logic
from conditions.outcomes import CompiledCondition, Judge, Outcome, Trace
from conditions.rules import build_rule

KEYS = frozenset({"type", "rules", "logic"})
LOGICS = (Logic.AND, Logic.OR)


@condition_types.register("rule")
class RuleCondition(ConditionType):
    """Rules under AND or OR: `{"rules": [{"field", "operator", "value"}, …]}`."""

    def build(
        self, condition: Mapping[str, object], place: Place
    ) -> CompiledCondition | None:
        place.refuse_unknown_keys(condition, KEYS)
        logic = read_logic(condition, place, LOGICS)
        rules = _build_rules(condition.get("rules"), place.at("rules"))
        return _joined(logic, rules) if logic else None


def _build_rules(written: object, place: Place) -> list[CompiledCondition]:
    if not isinstance(written, list) or not written:
        place.refuse("a rule condition needs a list of at least one rule")
        return []
    if not place.admits_rules(len(written)):
        return []
    built = [build_rule(rule, place.at(n)) for n, rule in enumerate(written)]
    return [rule for rule in built if rule is not None]


def _joined(logic: Logic, rules: Sequence[CompiledCondition]) -> CompiledCondition:
    label: Trace = {"type": "rule", "logic": logic.value}
    cost = sum(rule.cost for rule in rules)
    return CompiledCondition(judge=_judge(logic, rules, label), label=label, cost=cost)


def _judge(logic: Logic, rules: Sequence[CompiledCondition], label: Trace) -> Judge:
    judge_rules = evaluate_events(logic, rules)

    def judge(document: Document) -> tuple[Outcome, Trace]:
        outcome, traces = judge_rules(document)
        return outcome, {**label, "outcome": outcome, "rules": traces}

    return judge
