"""The keywords of JSON Schema, each counted; those that could take for ever, anew."""

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

# A step takes 2 to 5 microseconds: what is given up has taken half a second at most.
MAX_STEPS = 50_000


class UnusableSchema(ValueError):
    """The schema refers to what it does not hold, or to itself without end."""


class BudgetSpent(Exception):
    """A check takes more steps than it may."""


_left: ContextVar[int] = ContextVar("steps_left", default=MAX_STEPS)


@contextmanager
def budget(steps: int = MAX_STEPS) -> Iterator[None]:
    """Let at most so many steps be spent within."""
    token = _left.set(steps)
    try:
        yield
    finally:
        _left.reset(token)


def spend(steps: int) -> None:
    """Take steps from what is left; raise BudgetSpent where that is not enough."""
    left = _left.get() - steps
    _left.set(left)
    if left < 0:
        raise BudgetSpent


def count_values(value: object) -> int:
    """Return how many values a JSON value holds, itself included."""
    count, rest = 0, [value]
    while rest:
        item = rest.pop()
        count += 1
        if isinstance(item, dict):
            rest.extend(item.values())
        elif isinstance(item, list):
            rest.extend(item)
    return count


# As jsonschema calls it: validator, the keyword's value, the instance, the schema.
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
# How much of what is cheap is done in the time of one step.
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
    """Return the check such that it pays for its steps before it takes them."""

    def counted(
        validator: Any, value: Any, instance: Any, schema: Any
    ) -> Iterator[ValidationError]:
        spend(_steps(keyword, value, instance))
        for error in check(validator, value, instance, schema) or ():
            # The message quotes the instance, however large that is.
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
    """Compare by hashes: to compare each with each is quadratic."""
    if not is_wanted or not isinstance(instance, list):
        return
    if len({_comparable(item) for item in instance}) < len(instance):
        yield ValidationError("The items are not unique")


def _comparable(value: object) -> object:
    """Return what is equal, and of equal hash, for equal JSON values alone.

    Numbers become texts: a stranger can choose numbers whose hashes collide.
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
    """Divide exactly: a large integer is no double."""
    if isinstance(instance, bool) or not isinstance(instance, (int, float)):
        return
    if math.inf in (instance, -instance, factor):
        return
    if (Fraction(instance) / Fraction(factor)).denominator != 1:
        yield ValidationError(f"{instance!r} is not a multiple of {factor!r}")


def _stay(self: Any, **changes: Any) -> Any:
    """Go on in a subschema with these keywords, whatever `$schema` that names."""
    return type(self)(**{**_arguments(self), **changes})


def _arguments(validator: Any) -> dict[str, Any]:
    return {argument: getattr(validator, name) for name, argument in _FIELDS}


def _pay_and_stay(self: Any, **changes: Any) -> Any:
    """Pay for a reference that is followed while no keyword is checked."""
    schema = changes.get("schema")
    inside = schema.values() if isinstance(schema, dict) else ()
    spend(1 + sum(map(_length, inside)) // _ENTRIES_PER_STEP)
    return _stay(self, **changes)


def _unevaluated(check: Check) -> Check:
    """Return the check such that it pays for looking for what others evaluate.

    jsonschema follows references for that, and one may be reached by ever more ways.
    """

    def paying(
        validator: Any, value: Any, instance: Any, schema: Any
    ) -> Iterable[ValidationError] | None:
        return check(_PayingValidator(**_arguments(validator)), value, instance, schema)

    return paying


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
# jsonschema's own would change to its other validators, and so to Python's patterns.
SafeValidator.evolve = _stay  # type: ignore[method-assign]

_PayingValidator: type[Validator] = extend(SafeValidator)  # type: ignore[no-untyped-call]  # no stub
_PayingValidator.evolve = _pay_and_stay  # type: ignore[method-assign]
