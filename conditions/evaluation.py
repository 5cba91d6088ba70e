"""Evaluating compiled conditions: met, not met or error, each with its trace.

Logic is three-valued: an error counts only if it could have changed the outcome.

| operands        | AND     | OR    |
| --------------- | ------- | ----- |
| met, error      | error   | met   |
| not met, error  | not met | error |

NOT of an error is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from conditions.document import Document

Trace = Mapping[str, object]

NOT_EVALUATED = "not_evaluated"


class EvaluationOutcome(StrEnum):
    MET = "met"
    NOT_MET = "not_met"
    ERROR = "error"


# Every rule reads these names; looking a member up on its class is slow in Python 3.11.
MET, NOT_MET, ERROR = EvaluationOutcome

OPPOSITE = {MET: NOT_MET, NOT_MET: MET, ERROR: ERROR}


class Evaluation(NamedTuple):
    """The outcome of a condition for one document, and how it came about.

    The trace is JSON-able and has the shape of the condition: entry N of its `rules`
    or `conditions` describes operand N. Evaluations share parts of their traces, so
    callers must not change a trace.
    """

    outcome: EvaluationOutcome
    trace: Trace


Evaluate = Callable[[Document], Evaluation]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledCondition:
    """A condition, or one rule of it, that can be evaluated any number of times."""

    evaluate: Evaluate
    label: Trace
    """The part of the trace that does not depend on the document."""
    cost: int
    """Operands with a low cost are evaluated first; a rule costs 1."""

    def not_evaluated(self) -> Trace:
        """Return the trace for an operand that the outcome did not depend on."""
        return {**self.label, "outcome": NOT_EVALUATED}


class Logic(StrEnum):
    AND = "AND"
    OR = "OR"
    NOT = "NOT"


def join_operands(
    logic: Logic, operands: Sequence[CompiledCondition]
) -> Callable[[Document], tuple[EvaluationOutcome, list[Trace]]]:
    """Return a function that evaluates operands by cost and stops when it is sure.

    For NOT, it returns the outcome of its operand; the caller negates it. The traces
    have the order of `operands`.
    """
    decisive = MET if logic is Logic.OR else NOT_MET
    undecided = NOT_MET if logic is Logic.OR else MET
    untouched = [operand.not_evaluated() for operand in operands]
    by_cost = sorted(enumerate(operands), key=lambda numbered: numbered[1].cost)
    evaluators = [(position, operand.evaluate) for position, operand in by_cost]

    def evaluate(document: Document) -> tuple[EvaluationOutcome, list[Trace]]:
        outcome, traces = undecided, untouched.copy()
        for position, evaluate_operand in evaluators:
            found, traces[position] = evaluate_operand(document)
            if found is decisive:
                return found, traces
            if found is ERROR:
                outcome = found
        return outcome, traces

    return evaluate
