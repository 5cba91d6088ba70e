"""Building: one walk over a condition that validates and compiles it together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from common.errors import Fault, json_pointer
from common.registry import Registry
from conditions.bounded import storable
from conditions.outcomes import CompiledCondition
from conditions.suggestions import did_you_mean, quoted, unknown

MAX_DEPTH = 16
MAX_RULES = 200
MAX_FAULTS = 50


@dataclass(slots=True)
class Survey:
    """What one walk over a condition found."""

    faults: list[Fault] = field(default_factory=list)
    rules: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a condition the walk stands."""

    survey: Survey
    pointer: str = ""
    depth: int = 1

    def at(self, *steps: str | int) -> Place:
        """Return the place some keys and positions further down."""
        pointer = self.pointer + json_pointer(*(storable(str(s)) for s in steps))
        return Place(survey=self.survey, pointer=pointer, depth=self.depth)

    def inside(self, *steps: str | int) -> Place:
        """Return the place of a condition nested in this one."""
        place = self.at(*steps)
        return Place(survey=self.survey, pointer=place.pointer, depth=self.depth + 1)

    def refuse(self, detail: str) -> None:
        """Note a fault here; past the first 50 nobody reads on."""
        if len(self.survey.faults) < MAX_FAULTS:
            self.survey.faults.append(Fault(self.pointer, detail))

    def refuse_unknown_keys(
        self, written: Mapping[str, object], known: Collection[str]
    ) -> None:
        for key in written:
            if key not in known:
                self.at(key).refuse(unknown("key", str(key), known))

    def admits_rules(self, count: int) -> bool:
        """Count rules; refuse, and return False, once the condition has too many."""
        self.survey.rules += count
        if self.survey.rules <= MAX_RULES:
            return True
        self.refuse(f"more than {MAX_RULES} rules in one condition")
        return False


class ConditionType(ABC):
    """One kind of condition; stateless."""

    @abstractmethod
    def build(
        self, condition: Mapping[str, object], place: Place
    ) -> CompiledCondition | None:
        """Refuse at `place` all that is wrong, and compile the rest.

        The outcome is used only if nothing was refused anywhere in the walk, so it may
        leave out faulty parts; it is None where nothing sound can be made.
        """


condition_types: Registry[type[ConditionType]] = Registry("condition type")


def build_condition(condition: object, place: Place) -> CompiledCondition | None:
    """Hand a condition to its type; as ConditionType.build for what it returns."""
    if not isinstance(condition, Mapping):
        place.refuse("a condition is an object")
        return None
    if place.depth > MAX_DEPTH:
        place.refuse(f"conditions nested more than {MAX_DEPTH} deep")
        return None
    condition_type = _type_of(condition, place.at("type"))
    return condition_type().build(condition, place) if condition_type else None


def _type_of(
    condition: Mapping[str, object], place: Place
) -> type[ConditionType] | None:
    name = condition.get("type")
    if not isinstance(name, str):
        place.refuse(f"a condition names its type; {_available()}")
        return None
    found = condition_types.get(name)
    if found is None:
        hint = did_you_mean(name, condition_types.names()) or "no such type here"
        place.refuse(
            f"condition type {quoted(name)} is not available: {hint}; {_available()}"
        )
    return found


def _available() -> str:
    return f"available: {', '.join(condition_types.names())}"
