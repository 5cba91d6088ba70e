from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import re2
from jsonschema import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from common.errors import Fault, json_pointer
from common.json_schema.budget import BudgetSpent, UnusableSchema, budget
from common.json_schema.keywords import SafeValidator
from common.json_schema.shape import MIXED, mixes_unevaluated

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
