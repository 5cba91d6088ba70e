"""Rules: a field, an operator and the value that the field's value is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from common.values import MISSING, read_number, unknown_name
from conditions.base import (
    ERROR,
    MET,
    NOT_MET,
    CompiledCondition,
    ConditionType,
    Evaluate,
    Evaluation,
    EvaluationOutcome,
    Location,
    Logic,
    Trace,
    condition_types,
    join_operands,
    read_logic,
)
from conditions.document import Document, Field, UnreadableFieldError, parse_field
from conditions.operators.base import Operator, UnsupportedKindError, operators
from conditions.values import bounded

KEYS = frozenset({"type", "rules", "logic"})
RULE_KEYS = frozenset({"field", "operator", "value"})


@condition_types.register("rule")
class RuleCondition(ConditionType):
    """Rules under AND or OR: `{"rules": [{"field", "operator", "value"}, …]}`."""

    def build(
        self, condition: Mapping[str, object], location: Location
    ) -> CompiledCondition | None:
        location.reject_unknown_keys(condition, KEYS)
        logic = read_logic(condition, location, (Logic.AND, Logic.OR))
        rules = _build_rules(condition.get("rules"), location.at("rules"))
        return _join(logic, rules) if logic else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    field: Field
    operator: Operator
    expected: object
    label: Trace


def _build_rules(written: object, location: Location) -> list[CompiledCondition]:
    if not isinstance(written, list) or not written:
        location.add_fault("A rule condition needs a list of at least one rule")
        return []
    if not location.count_rules(len(written)):
        return []
    built = [_build_rule(rule, location.at(n)) for n, rule in enumerate(written)]
    return [rule for rule in built if rule is not None]


def _build_rule(written: object, location: Location) -> CompiledCondition | None:
    """Record all that is wrong with a rule; compile it if nothing is."""
    if not isinstance(written, Mapping):
        location.add_fault("A rule must be an object with field, operator and value")
        return None
    location.reject_unknown_keys(written, RULE_KEYS)
    field = _read_field(written.get("field"), location.at("field"))
    operator = _read_operator(written.get("operator"), location.at("operator"))
    if operator is None:
        return None
    if fault := operator.find_fault(written):
        location.at("value").add_fault(f"{written['operator']} {fault}")
        return None
    if field is None:
        return None
    label = _label(written, operator)
    expected = written.get("value")
    rule = Rule(field=field, operator=operator, expected=expected, label=label)
    return CompiledCondition(evaluate=_compile(rule), label=label, cost=1)


def _read_field(written: object, location: Location) -> Field | None:
    if not isinstance(written, str) or not written:
        location.add_fault("A rule needs a field, such as body.id")
        return None
    try:
        return parse_field(written)
    except UnreadableFieldError as error:
        location.add_fault(str(error))
        return None


def _read_operator(written: object, location: Location) -> Operator | None:
    if not isinstance(written, str) or not written:
        location.add_fault("A rule needs an operator, such as equals")
        return None
    operator = operators.get(written)
    if operator is None:
        location.add_fault(unknown_name("operator", written, operators.names()))
    return operator


def _label(written: Mapping[str, object], operator: Operator) -> Trace:
    label = {"field": written["field"], "operator": written["operator"]}
    if operator.takes_value:
        label["expected"], shortened = bounded(written["value"])
        if shortened:
            label["expected_shortened"] = shortened
    return label


def _compile(rule: Rule) -> Evaluate:
    find, read = rule.field.finder(), _reader(rule)
    is_met = rule.operator.test(rule.expected)
    label = rule.label

    def evaluate(document: Document) -> Evaluation:
        actual = find(document.values)
        try:
            met = is_met(read(actual, document))
        except UnsupportedKindError as error:
            trace = _trace(label, actual, ERROR)
            return Evaluation(ERROR, {**trace, "error": str(error)})
        outcome = MET if met else NOT_MET
        return Evaluation(outcome, _trace(label, actual, outcome))

    return evaluate


def _reader(rule: Rule) -> Callable[[object, Document], object]:
    """Return a function that reads a number from text in fields that hold only text."""
    if not rule.operator.compares_numbers(rule.expected):
        return lambda actual, document: actual
    is_text = rule.field.text_test()

    def read(actual: object, document: Document) -> object:
        if not isinstance(actual, str) or not is_text(document):
            return actual
        number = read_number(actual)
        return actual if number is None else number

    return read


def _trace(
    label: Trace, actual: object, outcome: EvaluationOutcome
) -> dict[str, object]:
    shown, shortened = bounded(actual)
    trace = {**label, "actual": shown, "outcome": outcome}
    if actual is MISSING:
        trace["missing"] = True
    if shortened:
        trace["actual_shortened"] = shortened
    return trace


def _join(logic: Logic, rules: list[CompiledCondition]) -> CompiledCondition:
    label: Trace = {"type": "rule", "logic": logic.value}
    evaluate_rules = join_operands(logic, rules)

    def evaluate(document: Document) -> Evaluation:
        outcome, traces = evaluate_rules(document)
        return Evaluation(outcome, {**label, "outcome": outcome, "rules": traces})

    cost = sum(rule.cost for rule in rules)
    return CompiledCondition(evaluate=evaluate, label=label, cost=cost)
