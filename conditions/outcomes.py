from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from conditions.document import Document

Trace = Mapping[str, object]
Judge = Callable[[Document], "tuple[Outcome, Trace]"]

NOT_EVALUATED = "not_evaluated"


class Outcome(StrEnum):
    MET = "met"
    NOT_MET = "not_met"
    ERROR = "error"


# Every rule needs these, and Python 3.11 is slow to look a member up on its class.
MET, NOT_MET, ERROR = Outcome

OPPOSITE = {MET: NOT_MET, NOT_MET: MET, ERROR: ERROR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What became of a condition, and how it came about.

    The trace is JSON-able and has the shape of the condition: entry N of its `rules`
    or `conditions` tells of operand N. Parts of it are shared between evaluations:
    read it, store it, do not change it.
    """

    outcome: Outcome
    trace: Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledCondition:
    """A condition, or a single rule of one, ready to be judged again and again."""

    judge: Judge
    label: Trace
    """What the trace says of it whether or not it was judged."""
    cost: int
    """Cheap ones are judged first; a single rule costs 1."""

    def evaluate(self, document: Document) -> Evaluation:
        outcome, trace = self.judge(document)
        return Evaluation(outcome=outcome, trace=trace)

    def not_evaluated(self) -> Trace:
        """Return what the trace says if the answer was clear without it."""
        return {**self.label, "outcome": NOT_EVALUATED}
