from __future__ import annotations

from collections.abc import Mapping

from conditions.document import Document, TextPath
from conditions.engine import Evaluation, EvaluationOutcome, compile_condition

MET, NOT_MET, ERROR = EvaluationOutcome


def rule(field: str, operator: str, *value: object) -> dict[str, object]:
    """Return one rule; omit the value for operators that have none."""
    written: dict[str, object] = {"field": field, "operator": operator}
    return {**written, "value": value[0]} if value else written


def rules(*written: object, logic: str = "AND") -> dict[str, object]:
    return {"type": "rule", "rules": list(written), "logic": logic}


def combined(logic: str, *conditions: object) -> dict[str, object]:
    return {"type": "combined", "conditions": list(conditions), "logic": logic}


def evaluate(
    condition: Mapping[str, object],
    values: Mapping[str, object],
    text_paths: frozenset[TextPath] = frozenset(),
) -> Evaluation:
    return compile_condition(condition).evaluate(Document(values, text_paths))


def apply(operator: str, actual: object, *expected: object) -> EvaluationOutcome:
    """Return the outcome of one operator for a value at `body.x`."""
    condition = rules(rule("body.x", operator, *expected))
    return evaluate(condition, {"body": {"x": actual}}).outcome


def trace_of_rule(
    written: Mapping[str, object], values: Mapping[str, object]
) -> object:
    traces = evaluate(rules(written), values).trace["rules"]
    assert isinstance(traces, list)
    return traces[0]
