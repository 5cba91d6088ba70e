"""The public functions of the package: validate a condition, compile a condition.

`{}` always matches. Any other condition names its type, which is a module of
`conditions.types`; the operators of rules are in `conditions.operators`.
"""

from __future__ import annotations

from collections.abc import Mapping

from common.errors import Fault, InvalidInput
from common.registry import import_modules
from conditions.base import (
    MET,
    BuildState,
    CompiledCondition,
    Evaluation,
    EvaluationOutcome,
    Location,
    build_condition,
)

__all__ = [
    "CompiledCondition",
    "Evaluation",
    "EvaluationOutcome",
    "InvalidCondition",
    "compile_condition",
    "validate_condition",
]

import_modules("conditions.operators")
import_modules("conditions.types")

_MET = Evaluation(MET, {"type": "always", "outcome": MET})
ALWAYS = CompiledCondition(
    evaluate=lambda document: _MET, label={"type": "always"}, cost=0
)


class InvalidCondition(InvalidInput):
    """The condition is not valid."""

    code = "invalid_condition"


def validate_condition(condition: object) -> list[Fault]:
    """Return at most 50 faults, with JSON Pointers into the condition; [] if valid."""
    return _build(condition)[0]


def compile_condition(condition: Mapping[str, object]) -> CompiledCondition:
    """Compile a condition once for any number of evaluations.

    Raises InvalidCondition with the faults of `validate_condition`. Evaluating never
    raises, whatever JSON values the document contains.
    """
    faults, compiled = _build(condition)
    if faults or compiled is None:
        raise InvalidCondition(faults=faults)
    return compiled


def _build(condition: object) -> tuple[list[Fault], CompiledCondition | None]:
    if condition == {}:
        return [], ALWAYS
    state = BuildState()
    compiled = build_condition(condition, Location(state=state))
    return state.faults, compiled
