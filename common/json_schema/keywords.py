"""A JSON Schema validator that counts its steps, with safe versions of some keywords.

The keywords of `jsonschema` that can take exponential or unlimited time are replaced.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from typing import Any

import attrs
import re2
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

# A step takes 2 to 5 microseconds, so a check ends after half a second at most.
MAX_STEPS = 50_000


class UnusableSchema(ValueError):
    """The schema refers to a place that does not exist, or endlessly to itself."""


class BudgetSpent(Exception):
    """A check takes more steps than are allowed."""


_left: ContextVar[int] = ContextVar("steps_left", default=MAX_STEPS)


@contextmanager
def budget(steps: int = MAX_STEPS) -> Iterator[None]:
    """Limit the steps within the `with` block."""
    token = _left.set(steps)
    try:
        yield
    finally:
        _left.reset(token)


def spend(steps: int) -> None:
    """Subtract steps from the budget; raise BudgetSpent if it is exceeded."""
    left = _left.get() - steps
    _left.set(left)
    if left < 0:
        raise BudgetSpent


def count_values(value: object) -> int:
    """Return the number of values in a JSON value, including itself."""
    count, rest = 0, [value]
    while rest:
        item = rest.pop()
        count += 1
        if isinstance(item, dict):
            rest.extend(item.values())
        elif isinstance(item, list):
            rest.extend(item)
    return count


# jsonschema passes the validator, the value of the keyword, the instance, the schema.
Check = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]

_LOOP_OVER_INSTANCE = frozenset(
    {
        "additionalProperties", "contains", "items", "patternProperties",
        "propertyNames", "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
_COMPARE = frozenset({"const", "enum"})
_REFER = frozenset({"$ref", "$dynamicRef"})
_REFERENCE_STEPS = 5
# How many cheap operations take as long as one step.
_ENTRIES_PER_STEP = 20
_MATCHED_PER_STEP = 1000
_QUOTED_PER_STEP = 100


def matches(pattern: str, text: str) -> bool:
    spend(1 + len(text) // _MATCHED_PER_STEP)
    try:
        return re2.search(pattern, text) is not None
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _counted(keyword: str, check: Check) -> Check:
    """Return the check, which now spends its steps from the budget first."""

    def counted(
        validator: Any, value: Any, instance: Any, schema: Any
    ) -> Iterator[ValidationError]:
        spend(_steps(keyword, value, instance))
        for error in check(validator, value, instance, schema) or ():
            # The message quotes the whole instance.
            spend(len(error.message) // _QUOTED_PER_STEP)
            yield error

    return counted


def _steps(keyword: str, value: object, instance: object) -> int:
    if keyword in _REFER:
        return _REFERENCE_STEPS
    if keyword in _COMPARE:
        return 1 + count_values(value) // _ENTRIES_PER_STEP
    if keyword in _LOOP_OVER_INSTANCE:
        return 1 + _length(instance)
    return 1 + _length(value) // _ENTRIES_PER_STEP


def _length(value: object) -> int:
    return len(value) if isinstance(value, (dict, list)) else 0


def _pattern(
    validator: Validator, pattern: str, instance: object, _schema: object
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Validator, patterns: Mapping[str, Any], instance: object, _schema: object
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if matches(pattern, name):
                yield from validator.descend(  # type: ignore[attr-defined]  # no stub
                    value, subschema, path=name, schema_path=pattern
                )


def _additional_properties(
    validator: Validator, subschema: object, instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in named or any(matches(pattern, name) for pattern in patterns):
            continue
        if subschema is False:
            yield ValidationError(f"{name!r} is not a property that is allowed here")
        else:
            yield from validator.descend(  # type: ignore[attr-defined]  # no stub
                value, subschema, path=name
            )


def _unique_items(
    validator: Validator, is_wanted: bool, instance: object, _schema: object
) -> Iterator[ValidationError]:
    """Compare hashes, because comparing all pairs is quadratic."""
    if not is_wanted or not isinstance(instance, list):
        return
    if len({_comparable(item) for item in instance}) < len(instance):
        yield ValidationError("The items are not unique")


def _comparable(value: object) -> object:
    """Return a value whose equality and hash are those of the JSON value.

    Numbers become text, because a sender can choose numbers whose hashes collide.
    """
    spend(1)
    match value:
        case dict():
            pairs = ((name, _comparable(item)) for name, item in value.items())
            return frozenset(pairs)
        case list():
            return tuple(map(_comparable, value))
        case str() | None:
            return ("text", value)
        case bool():
            return value
        case float() if value.is_integer():
            return str(int(value))
    return str(value)


def _multiple_of(
    validator: Validator, factor: Any, instance: object, _schema: object
) -> Iterator[ValidationError]:
    """Divide exactly: a double cannot represent each large integer."""
    if isinstance(instance, bool) or not isinstance(instance, (int, float)):
        return
    if math.inf in (instance, -instance, factor):
        return
    if (Fraction(instance) / Fraction(factor)).denominator != 1:
        yield ValidationError(f"{instance!r} is not a multiple of {factor!r}")


def _evolve(self: Any, **changes: Any) -> Any:
    """Check a subschema with these keywords, whatever its `$schema` is."""
    return type(self)(**{**_arguments(self), **changes})


def _arguments(validator: Any) -> dict[str, Any]:
    return {argument: getattr(validator, name) for name, argument in _FIELDS}


def _evolve_and_count(self: Any, **changes: Any) -> Any:
    """Spend steps for a reference that is followed without checking a keyword."""
    schema = changes.get("schema")
    inside = schema.values() if isinstance(schema, dict) else ()
    spend(1 + sum(map(_length, inside)) // _ENTRIES_PER_STEP)
    return _evolve(self, **changes)


def _unevaluated(check: Check) -> Check:
    """Return the check, which now spends steps for finding the evaluated members.

    jsonschema follows references for that, possibly on an exponential number of paths.
    """

    def counted(
        validator: Any, value: Any, instance: Any, schema: Any
    ) -> Iterable[ValidationError] | None:
        return check(
            _CountingValidator(**_arguments(validator)), value, instance, schema
        )

    return counted


_SHIPPED = Draft202012Validator.VALIDATORS
_OWN: Mapping[str, Check] = {
    "additionalProperties": _additional_properties,
    "unevaluatedItems": _unevaluated(_SHIPPED["unevaluatedItems"]),
    "unevaluatedProperties": _unevaluated(_SHIPPED["unevaluatedProperties"]),
    "multipleOf": _multiple_of,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "uniqueItems": _unique_items,
}

SafeValidator: type[Validator] = extend(  # type: ignore[no-untyped-call]  # no stub
    Draft202012Validator,
    {
        keyword: _counted(keyword, check)
        for keyword, check in {**_SHIPPED, **_OWN}.items()
    },
)
_FIELDS = [
    (field.name, field.alias)
    for field in attrs.fields(SafeValidator)  # type: ignore[arg-type]  # no stub
    if field.init
]
# The method of jsonschema would switch to its own validators and to Python's patterns.
SafeValidator.evolve = _evolve  # type: ignore[method-assign]

_CountingValidator: type[Validator] = extend(SafeValidator)  # type: ignore[no-untyped-call]  # no stub
_CountingValidator.evolve = _evolve_and_count  # type: ignore[method-assign]
