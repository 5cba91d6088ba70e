"""Three-valued logic: an error counts only if it could have changed the answer.

| operands        | AND     | OR    |
| --------------- | ------- | ----- |
| met, error      | error   | met   |
| not met, error  | not met | error |

NOT of an error is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum

from conditions.building import Place
from conditions.document import Document
from conditions.outcomes import ERROR, MET, NOT_MET, CompiledCondition, Outcome, Trace
from conditions.suggestions import quoted

JudgeAll = Callable[[Document], tuple[Outcome, list[Trace]]]


class Logic(StrEnum):
    AND = "AND"
    OR = "OR"
    NOT = "NOT"


def read_logic(
    condition: Mapping[str, object], place: Place, allowed: Collection[Logic]
) -> Logic | None:
    """Read `logic` in any letter case, AND if it is not given."""
    written = condition.get("logic", Logic.AND)
    if isinstance(written, str) and written.upper() in allowed:
        return Logic(written.upper())
    place.at("logic").refuse(
        f"unknown logic {quoted(written)}; known: {', '.join(allowed)}"
    )
    return None


def evaluate_events(logic: Logic, operands: Sequence[CompiledCondition]) -> JudgeAll:
    """Compile operands into one that judges cheap ones first and stops when sure.

    The traces come back in the order of `operands`.
    """
    decisive = MET if logic is Logic.OR else NOT_MET
    undecided = NOT_MET if logic is Logic.OR else MET
    untouched = [operand.not_evaluated() for operand in operands]
    by_cost = sorted(enumerate(operands), key=lambda numbered: numbered[1].cost)
    judges = [(position, operand.judge) for position, operand in by_cost]

    def judge(document: Document) -> tuple[Outcome, list[Trace]]:
        outcome, traces = undecided, untouched.copy()
        for position, judge_one in judges:
            found, traces[position] = judge_one(document)
            if found is decisive:
                return found, traces
            if found is ERROR:
                outcome = found
        return outcome, traces

    return judge
