from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from common.errors import Fault
from common.json_schema import UnusableSchema, find_value_faults


def find_faults(data: Mapping[str, Any]) -> list[Fault]:
    """Return where `data` differs from `schema.json`, at most 20 places."""
    try:
        return find_value_faults(_schema(), data)
    except UnusableSchema:  # jsonschema quotes the value, however deep it is
        return [Fault("", "is nested too deeply")]


@cache
def _schema() -> Mapping[str, Any]:
    schema: Mapping[str, Any] = json.loads(
        files(__package__).joinpath("schema.json").read_bytes()
    )
    return schema
