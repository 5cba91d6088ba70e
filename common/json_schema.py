"""JSON Schema from users: linear-time patterns, no reference that leaves the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import re2
from jsonschema import (
    Draft202012Validator,
    FormatChecker,
    SchemaError,
    ValidationError,
)
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from common.errors import Fault, json_pointer

MAX_FAULTS = 20
MAX_DETAIL_LENGTH = 300
MIXED = "unevaluatedProperties can't be used together with patternProperties"

# The format `regex` would hand patterns to Python's own engine.
_NO_FORMATS = FormatChecker(formats=())


class UnusableSchema(ValueError):
    """The schema refers to what it does not hold, or to itself without end."""


def find_schema_faults(schema: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with a schema itself."""
    try:
        Draft202012Validator.check_schema(schema, _NO_FORMATS)
    except SchemaError as error:
        return [_as_fault(error)]
    if _mixes_unevaluated(schema):
        return [Fault("", MIXED)]
    return list(_bad_patterns(schema, ""))


def find_value_faults(schema: Mapping[str, Any], value: Any) -> list[Fault]:
    """Return where a value differs from a schema, at most 20 places.

    Raises UnusableSchema.
    """
    if _mixes_unevaluated(schema):
        raise UnusableSchema(MIXED)
    try:
        errors = list(_validator(schema).iter_errors(value))
    except (Unresolvable, RecursionError, re2.error) as error:
        raise UnusableSchema(UnusableSchema.__doc__) from error
    return [_as_fault(error) for error in errors[:MAX_FAULTS]]


def _check_pattern(
    validator: Validator, pattern: str, instance: object, _schema: object
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _check_pattern_properties(
    validator: Validator, patterns: Mapping[str, Any], instance: object, _schema: object
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(  # type: ignore[attr-defined]  # no stub
                    value, subschema, path=name, schema_path=pattern
                )


def _check_additional_properties(
    validator: Validator, subschema: object, instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in named or any(_matches(pattern, name) for pattern in patterns):
            continue
        if subschema is False:
            yield ValidationError(f"{name!r} is not a property that is allowed here")
        else:
            yield from validator.descend(  # type: ignore[attr-defined]  # no stub
                value, subschema, path=name
            )


_SafeValidator: type[Validator] = extend(  # type: ignore[no-untyped-call]  # no stub
    Draft202012Validator,
    {
        "pattern": _check_pattern,
        "patternProperties": _check_pattern_properties,
        "additionalProperties": _check_additional_properties,
    },
)


def _validator(schema: Mapping[str, Any]) -> Validator:
    return _SafeValidator(schema, registry=Registry())


def _matches(pattern: str, text: str) -> bool:
    try:
        return re2.search(pattern, text) is not None
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _bad_patterns(schema: object, pointer: str) -> Iterator[Fault]:
    """Find patterns that the linear-time engine does not take."""
    if isinstance(schema, list):
        for place, item in enumerate(schema):
            yield from _bad_patterns(item, f"{pointer}/{place}")
    if not isinstance(schema, Mapping):
        return
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and (problem := _problem_of(pattern)):
        yield Fault(f"{pointer}/pattern", problem)
    for name in _keys(schema.get("patternProperties")):
        if problem := _problem_of(name):
            yield Fault(pointer + json_pointer("patternProperties", name), problem)
    for name, item in schema.items():
        yield from _bad_patterns(item, pointer + json_pointer(name))


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from value


def _mixes_unevaluated(schema: Mapping[str, Any]) -> bool:
    """Whether jsonschema would match names by Python's engine: it looks through
    `$ref`, `allOf` and the like for the patterns of what is evaluated elsewhere.
    """
    names: set[str] = set()
    level: list[object] = [schema]
    while level:
        item = level.pop()
        if isinstance(item, Mapping):
            names.update(item)
            level.extend(item.values())
        elif isinstance(item, list):
            level.extend(item)
    return {"unevaluatedProperties", "patternProperties"} <= names


def _problem_of(pattern: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        return f"Not a pattern of RE2 (no look-around, no back-references): {error}"
    return ""


def _as_fault(error: ValidationError | SchemaError) -> Fault:
    pointer = json_pointer(*error.absolute_path)
    return Fault(pointer, error.message[:MAX_DETAIL_LENGTH])
