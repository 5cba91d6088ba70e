"""Checks JSON Schemas, and JSON values against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import unquote

import re2
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from common.errors import Fault, json_pointer
from common.json_cost import is_deeper_than
from common.json_schema.keywords import (
    BudgetSpent,
    SafeValidator,
    UnusableSchema,
    budget,
)

MIXED = "unevaluatedProperties cannot be used together with patternProperties"
MAX_FAULTS = 20
MAX_DETAIL_LENGTH = 300
MAX_SUBSCHEMAS = 1000
MAX_VALUES = 20_000
MAX_DEPTH = 50
MAX_PATTERN_LENGTH = 1000
# Without its own names, the schema is the base of all its references.
_NAMES = frozenset({"$id", "$schema"})
# A schema is checked once, so its check may take longer than that of a value.
_CHECKING_STEPS = 200_000
_SAMPLES: tuple[object, ...] = ({}, [], "", 0, True, None)


def find_schema_faults(schema: Mapping[str, Any]) -> list[Fault]:
    """Return the errors of a schema itself, at most 20.

    Apart from the form, these are references out of the schema or to a place that does
    not exist, patterns that RE2 does not support, and endless references.
    """
    for find in (find_size_faults, _find_form_faults, find_shape_faults):
        if faults := list(islice(find(schema), MAX_FAULTS)):
            return faults
    return list(_find_target_faults(schema)) or list(_find_endless(schema))


def _find_form_faults(schema: Any) -> Iterator[Fault]:
    """Check a schema against the metaschema."""
    form = SafeValidator(Draft202012Validator.META_SCHEMA, registry=Registry())
    try:
        with budget(_CHECKING_STEPS):
            errors = list(islice(form.iter_errors(schema), MAX_FAULTS))
    except BudgetSpent:
        yield Fault("", "Is too large to check")
        return
    yield from map(as_fault, errors)


def _find_target_faults(schema: Mapping[str, Any]) -> Iterator[Fault]:
    """Check the targets of references, which can be outside of all subschemas."""
    references = {
        item["$ref"]: f"{pointer}/$ref"
        for pointer, item in walk(schema)
        if isinstance(item.get("$ref"), str)
    }
    for reference, place in references.items():
        target = find_target(schema, reference)
        for fault in islice(_find_form_faults(target), 1):
            yield Fault(place, f"The target is not a schema: {fault.detail}")
            return


def _find_endless(schema: Mapping[str, Any]) -> Iterator[Fault]:
    for sample in _SAMPLES:
        try:
            find_value_faults(schema, sample)
        except TooCostly:
            yield Fault("", "Takes too many steps even for a small value")
            return
        except UnusableSchema:
            yield Fault("", "Refers to itself endlessly")
            return


class TooCostly(UnusableSchema):
    """Checking the value against the schema takes more steps than are allowed."""


def find_value_faults(schema: Mapping[str, Any], value: Any) -> list[Fault]:
    """Return where a value does not match a schema, at most 20 places.

    Raise UnusableSchema; TooCostly if the steps are spent before a fault is found.
    """
    if mixes_unevaluated(schema):
        raise UnusableSchema(MIXED)
    faults: list[Fault] = []
    try:
        with budget():
            unnamed = {name: schema[name] for name in schema if name not in _NAMES}
            validator = SafeValidator(unnamed, registry=Registry())
            errors = map(as_fault, validator.iter_errors(value))
            faults.extend(islice(errors, MAX_FAULTS))
    except BudgetSpent as error:
        if not faults:
            raise TooCostly(TooCostly.__doc__) from error
    except (Unresolvable, RecursionError, re2.error) as error:
        raise UnusableSchema(UnusableSchema.__doc__) from error
    return faults


def as_fault(error: ValidationError | SchemaError) -> Fault:
    pointer = json_pointer(*error.absolute_path)
    return Fault(pointer, error.message[:MAX_DETAIL_LENGTH])


def find_size_faults(schema: Mapping[str, Any]) -> Iterator[Fault]:
    """Find out whether a schema is too large for the other checks."""
    if is_deeper_than(schema, MAX_DEPTH):
        yield Fault("", f"Is nested more than {MAX_DEPTH} levels deep")
        return
    objects, values = _count(schema)
    if objects > MAX_SUBSCHEMAS:
        yield Fault("", f"Has more than {MAX_SUBSCHEMAS:,} objects")
    elif values > MAX_VALUES:
        yield Fault("", f"Has more than {MAX_VALUES:,} values")


def find_shape_faults(schema: Mapping[str, Any]) -> Iterator[Fault]:
    """Find references out of the schema, and patterns that RE2 does not support."""
    if mixes_unevaluated(schema):
        yield Fault("", MIXED)
    for pointer, item in walk(schema):
        yield from _find_reference_faults(schema, item, pointer)
        yield from _find_pattern_faults(item, pointer)


def walk(value: object, pointer: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each object in a JSON value, with its pointer."""
    if isinstance(value, Mapping):
        yield pointer, value
        for name, item in value.items():
            yield from walk(item, pointer + json_pointer(name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from walk(item, f"{pointer}/{place}")


def find_target(schema: Mapping[str, Any], reference: str) -> object:
    """Return the subschema to which a reference points; None if there is none."""
    if not reference.startswith("#"):
        return None
    target: Any = schema
    for token in unquote(reference[1:]).split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(target, Mapping):
            target = target.get(name)
        elif isinstance(target, list) and name.isascii() and name.isdecimal():
            target = next(islice(target, int(name[:9]), None), None)
        else:
            return None
    return target if isinstance(target, (Mapping, bool)) else None


def mixes_unevaluated(schema: Mapping[str, Any]) -> bool:
    """Return whether jsonschema would match property names with Python's `re`.

    For `unevaluatedProperties` it searches subschemas for `patternProperties`.
    """
    names: set[str] = set()
    for _, item in walk(schema):
        names.update(item)
    return {"unevaluatedProperties", "patternProperties"} <= names


def _count(value: object) -> tuple[int, int]:
    """Return the number of objects, and of values of all kinds."""
    objects, values, rest = 0, 0, [value]
    while rest:
        item = rest.pop()
        values += 1
        if isinstance(item, Mapping):
            objects += 1
            rest.extend(item.values())
        elif isinstance(item, list):
            rest.extend(item)
    return objects, values


def _find_reference_faults(
    schema: Mapping[str, Any], item: Mapping[str, Any], pointer: str
) -> Iterator[Fault]:
    if isinstance(item.get("$id"), str) and pointer:
        yield Fault(f"{pointer}/$id", "Only the schema as a whole can have an $id")
    if isinstance(item.get("$dynamicRef"), str):
        yield Fault(f"{pointer}/$dynamicRef", "Is not supported; use $ref")
    reference = item.get("$ref")
    if not isinstance(reference, str):
        return
    place = f"{pointer}/$ref"
    if reference != "#" and not reference.startswith("#/"):
        yield Fault(place, "Must point into the schema, as '#/$defs/name' does")
    elif find_target(schema, reference) is None:
        yield Fault(place, "Does not point to a subschema")


def _find_pattern_faults(item: Mapping[str, Any], pointer: str) -> Iterator[Fault]:
    pattern = item.get("pattern")
    if isinstance(pattern, str) and (error := _pattern_error(pattern)):
        yield Fault(f"{pointer}/pattern", error)
    named = item.get("patternProperties")
    for name in named if isinstance(named, Mapping) else ():
        if error := _pattern_error(name):
            yield Fault(pointer + json_pointer("patternProperties", name), error)


def _pattern_error(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN_LENGTH:
        return f"Is longer than {MAX_PATTERN_LENGTH:,} characters"
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        return f"Is not a pattern of RE2 (no look-around, no back-references): {error}"
    return ""
