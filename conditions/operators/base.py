from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.registry import Registry
from conditions.values import MISSING, kind_of

Test = Callable[[object], bool]
Prepare = Callable[[Any], Test]
Check = Callable[[object], str | None]


class UnjudgeableError(Exception):
    """The operator is not made for a value of this kind."""

    def __init__(self, needed: str, actual: object) -> None:
        super().__init__(f"{needed} is needed here, but this is {kind_of(actual)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    prepare: Prepare
    """Makes the test for an expected value that `check` has found nothing wrong with.

    A test raises UnjudgeableError and nothing else.
    """
    check: Check | None
    """Says what is wrong with an expected value; None if the operator takes none."""
    judges_null: bool
    compares_numbers: Callable[[object], bool]
    """Tells of an expected value whether it is to be compared with a number."""
    is_opposite: bool = False

    @property
    def takes_value(self) -> bool:
        return self.check is not None

    def fault_in(self, rule: Mapping[str, object]) -> str | None:
        """Say what is wrong with the rule's `value`, if anything is."""
        if self.check is None:
            return "takes no value" if rule.get("value") is not None else None
        return self.check(rule["value"]) if "value" in rule else "needs a value"

    def test(self, expected: object) -> Test:
        """Return the test that tells whether a value, or MISSING, meets the rule."""
        holds = self.prepare(expected)
        judges_null, is_opposite = self.judges_null, self.is_opposite

        def is_met(actual: object) -> bool:
            if actual is MISSING or (actual is None and not judges_null):
                return is_opposite
            return holds(actual) is not is_opposite

        return is_met


operators: Registry[Operator] = Registry("operator")


def never(expected: object) -> bool:
    return False


def operator(
    *names: str,
    check: Check | None,
    opposites: Sequence[str] = (),
    judges_null: bool = False,
    compares_numbers: Callable[[object], bool] = never,
) -> Callable[[Prepare], Prepare]:
    """Register what prepares a test under its names, its opposite under others."""

    def enter(prepare: Prepare) -> Prepare:
        made = Operator(
            prepare=prepare,
            check=check,
            judges_null=judges_null,
            compares_numbers=compares_numbers,
        )
        for name in names:
            operators.register(name)(made)
        for name in opposites:
            operators.register(name)(replace(made, is_opposite=True))
        return prepare

    return enter
