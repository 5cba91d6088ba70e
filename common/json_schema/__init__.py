"""JSON Schema from users: limited in time, and without references to other schemas.

It is draft 2020-12, whatever `$schema` says. Patterns are matched in linear time, and a
check with too many steps ends, so that neither a schema nor a value can block a thread.
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
