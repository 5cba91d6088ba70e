"""JSON Schema from users: bounded in time, and no reference that leaves the schema.

Draft 2020-12, whatever `$schema` says. Patterns are matched in linear time; a check
that takes too many steps is given up, so that neither a schema nor a value can hold up
the one who checks it.
"""

from __future__ import annotations

from common.json_schema.checks import (
    MIXED,
    TooCostly,
    find_schema_faults,
    find_value_faults,
)
from common.json_schema.keywords import MAX_STEPS, UnusableSchema

__all__ = [
    "MAX_STEPS",
    "MIXED",
    "TooCostly",
    "UnusableSchema",
    "find_schema_faults",
    "find_value_faults",
]
