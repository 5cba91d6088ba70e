from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry

from common.errors import Fault
from common.json_schema.budget import BudgetSpent, UnusableSchema, budget
from common.json_schema.keywords import SafeValidator
from common.json_schema.shape import (
    find_shape_faults,
    find_size_faults,
    find_target,
    walk,
)
from common.json_schema.validation import (
    MAX_FAULTS,
    TooCostly,
    as_fault,
    find_value_faults,
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
