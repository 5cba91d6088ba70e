"""JSON Schema from users: linear-time patterns, no reference that leaves the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import re2
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from common.errors import Fault

MAX_FAULTS = 20
MAX_DETAIL_LENGTH = 300


class UnusableSchema(ValueError):
    """The schema refers to what it does not hold, or to itself without end."""


def find_schema_faults(schema: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with a schema itself."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return [_as_fault(error)]
    return list(_bad_patterns(schema, ""))


def find_value_faults(schema: Mapping[str, Any], value: Any) -> list[Fault]:
    """Return where a value differs from a schema, at most 20 places.

    Raises UnusableSchema.
    """
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


_SafeValidator: type[Validator] = extend(  # type: ignore[no-untyped-call]  # no stub
    Draft202012Validator,
    {"pattern": _check_pattern, "patternProperties": _check_pattern_properties},
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
    for name, item in schema.items():
        yield from _bad_patterns(item, f"{pointer}/{_escaped(name)}")


def _problem_of(pattern: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        return f"Not a pattern of RE2 (no look-around, no back-references): {error}"
    return ""


def _as_fault(error: ValidationError | SchemaError) -> Fault:
    tokens = (_escaped(str(token)) for token in error.absolute_path)
    pointer = "".join(f"/{token}" for token in tokens)
    return Fault(pointer, error.message[:MAX_DETAIL_LENGTH])


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")
