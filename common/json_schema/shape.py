"""What can be told of a schema from its text alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import unquote

import re2

from common.errors import Fault, json_pointer
from common.json_depth import is_deeper_than

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
