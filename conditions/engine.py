"""The front door of conditions: validate one, compile one.

`{}` always matches. Any other condition names its type, one of the modules of
`conditions.types`; what a rule may ask is in `conditions.operators`.
"""

from __future__ import annotations

from collections.abc import Mapping

from common.errors import Fault, InvalidInput
from common.registry import import_modules
from conditions.building import Place, Survey, build_condition
from conditions.outcomes import CompiledCondition, Evaluation, Outcome, Trace

__all__ = [
    "CompiledCondition",
    "Evaluation",
    "InvalidCondition",
    "Outcome",
    "compile_condition",
    "validate_condition",
]

import_modules("conditions.operators")
import_modules("conditions.types")

_MET: Trace = {"type": "always", "outcome": Outcome.MET}
ALWAYS = CompiledCondition(
    judge=lambda document: (Outcome.MET, _MET), label={"type": "always"}, cost=0
)


class InvalidCondition(InvalidInput):
    """The condition is not valid."""

    code = "invalid_condition"


def validate_condition(condition: object) -> list[Fault]:
    """Return what is wrong (50 faults at most), with JSON Pointers into the condition.

    A valid condition gives an empty list.
    """
    return _survey(condition)[0]


def compile_condition(condition: Mapping[str, object]) -> CompiledCondition:
    """Compile a condition once for any number of evaluations.

    Raises InvalidCondition with what `validate_condition` finds. Evaluating never
    raises, whatever JSON values the document holds.
    """
    faults, compiled = _survey(condition)
    if faults or compiled is None:
        raise InvalidCondition(faults=faults)
    return compiled


def _survey(condition: object) -> tuple[list[Fault], CompiledCondition | None]:
    if condition == {}:
        return [], ALWAYS
    survey = Survey()
    compiled = build_condition(condition, Place(survey=survey))
    return survey.faults, compiled
