"""A single rule: a field, an operator and the value it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conditions.bounded import bounded
from conditions.building import Place
from conditions.document import Document
from conditions.fields import Field, UnreadableFieldError, parse_field
from conditions.operators.base import Operator, UnjudgeableError, operators
from conditions.outcomes import (
    ERROR,
    MET,
    NOT_MET,
    CompiledCondition,
    Judge,
    Outcome,
    Trace,
)
from conditions.suggestions import unknown
from conditions.values import MISSING, read_number

KEYS = frozenset({"field", "operator", "value"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    field: Field
    operator: Operator
    expected: object
    label: Trace


def build_rule(written: object, place: Place) -> CompiledCondition | None:
    """Refuse what is wrong with a rule; compile it if nothing is."""
    if not isinstance(written, Mapping):
        place.refuse("a rule is an object with field, operator and value")
        return None
    place.refuse_unknown_keys(written, KEYS)
    field = _read_field(written.get("field"), place.at("field"))
    operator = _read_operator(written.get("operator"), place.at("operator"))
    accepted = operator and _accepts(operator, written, place.at("value"))
    if field is None or operator is None or not accepted:
        return None
    expected = written.get("value")
    label = _label(written, operator)
    rule = Rule(field=field, operator=operator, expected=expected, label=label)
    return CompiledCondition(judge=_judge(rule), label=label, cost=1)


def _read_field(written: object, place: Place) -> Field | None:
    if not isinstance(written, str) or not written:
        place.refuse("a rule names its field")
        return None
    try:
        return parse_field(written)
    except UnreadableFieldError as error:
        place.refuse(str(error))
        return None


def _read_operator(written: object, place: Place) -> Operator | None:
    if not isinstance(written, str) or not written:
        place.refuse("a rule names its operator")
        return None
    operator = operators.get(written)
    if operator is None:
        place.refuse(unknown("operator", written, operators.names()))
    return operator


def _accepts(operator: Operator, rule: Mapping[str, object], place: Place) -> bool:
    wrong = operator.fault_in(rule)
    if wrong is not None:
        place.refuse(f"{rule['operator']} {wrong}")
    return wrong is None


def _label(written: Mapping[str, object], operator: Operator) -> Trace:
    label = {"field": written["field"], "operator": written["operator"]}
    if operator.takes_value:
        label["expected"], shortened = bounded(written["value"])
        if shortened:
            label["expected_shortened"] = shortened
    return label


def _judge(rule: Rule) -> Judge:
    find, read = rule.field.finder(), _reader(rule)
    is_met = rule.operator.test(rule.expected)
    label = rule.label

    def judge(document: Document) -> tuple[Outcome, Trace]:
        actual = find(document.values)
        try:
            met = is_met(read(actual, document))
        except UnjudgeableError as error:
            trace = _trace(label, actual, ERROR)
            return ERROR, {**trace, "error": str(error)}
        outcome = MET if met else NOT_MET
        return outcome, _trace(label, actual, outcome)

    return judge


def _reader(rule: Rule) -> Callable[[object, Document], object]:
    """Return what reads a number from text, where text is all that can arrive."""
    if not rule.operator.compares_numbers(rule.expected):
        return lambda actual, document: actual
    is_text = rule.field.text_test()

    def read(actual: object, document: Document) -> object:
        if not isinstance(actual, str) or not is_text(document):
            return actual
        number = read_number(actual)
        return actual if number is None else number

    return read


def _trace(label: Trace, actual: object, outcome: Outcome) -> dict[str, object]:
    seen, shortened = bounded(actual)
    trace = {**label, "actual": seen, "outcome": outcome}
    if actual is MISSING:
        trace["missing"] = True
    if shortened:
        trace["actual_shortened"] = shortened
    return trace
