"""What can be told of a schema from its text alone."""

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

# A check of a schema may take longer than one of a value: it is made once.
_CHECKING_STEPS = 200_000
_SAMPLES: tuple[object, ...] = ({}, [], "", 0, True, None)


def find_schema_faults(schema: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with a schema itself, at most 20 places.

    Besides the form, it finds references that leave the schema or lead nowhere,
    patterns that are not RE2's, and subschemas that refer to themselves without end.
    """
    for find in (find_size_faults, _find_form_faults, find_shape_faults):
        if faults := list(islice(find(schema), MAX_FAULTS)):
            return faults
    return list(_find_target_faults(schema)) or list(_find_endless(schema))


def _find_form_faults(schema: Any) -> Iterator[Fault]:
    """Hold a schema against the schema of schemas."""
    form = SafeValidator(Draft202012Validator.META_SCHEMA, registry=Registry())
    try:
        with budget(_CHECKING_STEPS):
            errors = list(islice(form.iter_errors(schema), MAX_FAULTS))
    except BudgetSpent:
        yield Fault("", "Is too large to be checked")
        return
    yield from map(as_fault, errors)


def _find_target_faults(schema: Mapping[str, Any]) -> Iterator[Fault]:
    """Check what references name: it may be where no subschema is looked for."""
    references = {
        item["$ref"]: f"{pointer}/$ref"
        for pointer, item in walk(schema)
        if isinstance(item.get("$ref"), str)
    }
    for reference, place in references.items():
        target = find_target(schema, reference)
        for fault in islice(_find_form_faults(target), 1):
            yield Fault(place, f"What it names is no schema: {fault.detail}")
            return


def _find_endless(schema: Mapping[str, Any]) -> Iterator[Fault]:
    for sample in _SAMPLES:
        try:
            find_value_faults(schema, sample)
        except TooCostly:
            yield Fault("", "Takes too many steps even for a small value")
            return
        except UnusableSchema:
            yield Fault("", "Refers to itself without end")
            return


MAX_FAULTS = 20
MAX_DETAIL_LENGTH = 300

# The names of the schema itself; every reference within it is relative to it.
_NAMES = frozenset({"$id", "$schema"})


class TooCostly(UnusableSchema):
    """To hold the value against the schema takes more steps than are allowed."""


def find_value_faults(schema: Mapping[str, Any], value: Any) -> list[Fault]:
    """Return where a value differs from a schema, at most 20 places.

    Raises UnusableSchema; TooCostly, if no fault was found before the steps were spent.
    """
    if mixes_unevaluated(schema):
        raise UnusableSchema(MIXED)
    faults: list[Fault] = []
    try:
        with budget():
            faults.extend(islice(_find(schema, value), MAX_FAULTS))
    except BudgetSpent as error:
        if not faults:
            raise TooCostly(TooCostly.__doc__) from error
    except (Unresolvable, RecursionError, re2.error) as error:
        raise UnusableSchema(UnusableSchema.__doc__) from error
    return faults


def as_fault(error: ValidationError | SchemaError) -> Fault:
    pointer = json_pointer(*error.absolute_path)
    return Fault(pointer, error.message[:MAX_DETAIL_LENGTH])


def _find(schema: Mapping[str, Any], value: Any) -> Iterator[Fault]:
    unnamed = {name: item for name, item in schema.items() if name not in _NAMES}
    return map(as_fault, SafeValidator(unnamed, registry=Registry()).iter_errors(value))


MIXED = "unevaluatedProperties can't be used together with patternProperties"
MAX_SUBSCHEMAS = 1000
MAX_VALUES = 20_000
MAX_DEPTH = 50
MAX_PATTERN_LENGTH = 1000


def find_size_faults(schema: Mapping[str, Any]) -> Iterator[Fault]:
    """Find whether a schema is too large to be looked at any closer."""
    if is_deeper_than(schema, MAX_DEPTH):
        yield Fault("", f"Is nested more than {MAX_DEPTH} levels deep")
        return
    objects, values = _count(schema)
    if objects > MAX_SUBSCHEMAS:
        yield Fault("", f"Has more than {MAX_SUBSCHEMAS:,} objects")
    elif values > MAX_VALUES:
        yield Fault("", f"Has more than {MAX_VALUES:,} values")


def find_shape_faults(schema: Mapping[str, Any]) -> Iterator[Fault]:
    """Find references that leave the schema, and patterns that can't be matched."""
    if mixes_unevaluated(schema):
        yield Fault("", MIXED)
    for pointer, item in walk(schema):
        yield from _find_reference_faults(schema, item, pointer)
        yield from _find_pattern_faults(item, pointer)


def walk(value: object, pointer: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every object within a JSON value, and where it is."""
    if isinstance(value, Mapping):
        yield pointer, value
        for name, item in value.items():
            yield from walk(item, pointer + json_pointer(name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from walk(item, f"{pointer}/{place}")


def find_target(schema: Mapping[str, Any], reference: str) -> object:
    """Return the subschema that a reference names; None if there is none."""
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
    """Whether jsonschema would match names by Python's engine: it looks through
    `$ref`, `allOf` and the like for the patterns of what is evaluated elsewhere.
    """
    names: set[str] = set()
    for _, item in walk(schema):
        names.update(item)
    return {"unevaluatedProperties", "patternProperties"} <= names


def _count(value: object) -> tuple[int, int]:
    """Return how many objects, and how many values of all kinds, there are."""
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
        yield Fault(f"{pointer}/$id", "Only the schema as a whole may have an $id")
    if isinstance(item.get("$dynamicRef"), str):
        yield Fault(f"{pointer}/$dynamicRef", "Is not supported; use $ref")
    reference = item.get("$ref")
    if not isinstance(reference, str):
        return
    place = f"{pointer}/$ref"
    if reference != "#" and not reference.startswith("#/"):
        yield Fault(place, "Must stay within the schema, as '#/$defs/name' does")
    elif find_target(schema, reference) is None:
        yield Fault(place, "Names no subschema")


def _find_pattern_faults(item: Mapping[str, Any], pointer: str) -> Iterator[Fault]:
    pattern = item.get("pattern")
    if isinstance(pattern, str) and (problem := _problem_of(pattern)):
        yield Fault(f"{pointer}/pattern", problem)
    named = item.get("patternProperties")
    for name in named if isinstance(named, Mapping) else ():
        if problem := _problem_of(name):
            yield Fault(pointer + json_pointer("patternProperties", name), problem)


def _problem_of(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN_LENGTH:
        return f"Is longer than {MAX_PATTERN_LENGTH:,} characters"
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        return f"Not a pattern of RE2 (no look-around, no back-references): {error}"
    return ""
