"""What every type of condition is made of: how it is built, and how it evaluates.

Building is one walk over a condition that validates and compiles it together. A
compiled condition is met, not met or an error, each with its trace.

Logic is three-valued: an error counts only if it could have changed the outcome.

| operands        | AND     | OR    |
| --------------- | ------- | ----- |
| met, error      | error   | met   |
| not met, error  | not met | error |

NOT of an error is an error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from common.errors import Fault, json_pointer
from common.registry import Registry
from common.values import did_you_mean, quoted, storable, unknown_name
from conditions.document import Document

MAX_DEPTH = 16
MAX_RULES = 200
MAX_FAULTS = 50

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


@dataclass(slots=True)
class BuildState:
    """The faults that one walk over a condition found, and the rules it counted."""

    faults: list[Fault] = field(default_factory=list)
    rules: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """The part of a condition that the walk has reached, as a JSON Pointer."""

    state: BuildState
    pointer: str = ""
    depth: int = 1

    def at(self, *steps: str | int) -> Location:
        """Return the location of a value inside this one, by keys and positions."""
        pointer = self.pointer + json_pointer(*(storable(str(s)) for s in steps))
        return Location(state=self.state, pointer=pointer, depth=self.depth)

    def nested(self, *steps: str | int) -> Location:
        """Return the location of a condition nested in this one."""
        pointer = self.at(*steps).pointer
        return Location(state=self.state, pointer=pointer, depth=self.depth + 1)

    def add_fault(self, detail: str) -> None:
        """Record a fault here; drop it if 50 are recorded, as no reader needs more."""
        if len(self.state.faults) < MAX_FAULTS:
            self.state.faults.append(Fault(self.pointer, detail))

    def reject_unknown_keys(
        self, written: Mapping[str, object], known: Collection[str]
    ) -> None:
        for key in written:
            if key not in known:
                self.at(key).add_fault(unknown_name("key", str(key), known))

    def count_rules(self, count: int) -> bool:
        """Count rules; return False, with a fault, if the condition has too many."""
        self.state.rules += count
        if self.state.rules <= MAX_RULES:
            return True
        self.add_fault(f"A condition can have at most {MAX_RULES} rules")
        return False


class ConditionType(ABC):
    """One kind of condition; stateless."""

    @abstractmethod
    def build(
        self, condition: Mapping[str, object], location: Location
    ) -> CompiledCondition | None:
        """Record every fault at its location and compile the rest.

        The caller uses the result only if the walk found no fault anywhere, so the
        result may leave out faulty parts, or be None.
        """


condition_types: Registry[type[ConditionType]] = Registry("condition type")


def build_condition(condition: object, location: Location) -> CompiledCondition | None:
    """Have its type build a condition; see ConditionType.build for the result."""
    if not isinstance(condition, Mapping):
        location.add_fault("A condition must be a JSON object")
        return None
    if location.depth > MAX_DEPTH:
        location.add_fault(f"Conditions can be nested at most {MAX_DEPTH} deep")
        return None
    condition_type = _find_type(condition, location.at("type"))
    return condition_type().build(condition, location) if condition_type else None


def _find_type(
    condition: Mapping[str, object], location: Location
) -> type[ConditionType] | None:
    name = condition.get("type")
    available = f"available: {', '.join(condition_types.names())}"
    if not isinstance(name, str):
        location.add_fault(f"A condition needs a type; {available}")
        return None
    found = condition_types.get(name)
    if found is None:
        hint = did_you_mean(name, condition_types.names())
        location.add_fault(
            f"Condition type {quoted(name)} is not available; "
            f"{f'{hint} ' if hint else ''}{available}"
        )
    return found


def read_logic(
    condition: Mapping[str, object], location: Location, allowed: Collection[Logic]
) -> Logic | None:
    """Read `logic` in any letter case; AND is the default."""
    written = condition.get("logic", Logic.AND)
    if isinstance(written, str) and written.upper() in allowed:
        return Logic(written.upper())
    location.at("logic").add_fault(
        f"Unknown logic {quoted(written)}; known: {', '.join(allowed)}"
    )
    return None
