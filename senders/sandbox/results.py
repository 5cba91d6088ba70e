from __future__ import annotations

import json
import math
from typing import Any

from common.json_cost import is_deeper_than
from senders.errors import SandboxRefused
from senders.sandbox.limits import MAX_RESULT_BYTES, MAX_RESULT_DEPTH

_TOO_LARGE = f"It returned more than {MAX_RESULT_BYTES // 1024} KB"


def as_flag(result: object) -> bool:
    """Return a validator's result; raise SandboxRefused if it is not a bool."""
    if not isinstance(result, bool):
        raise SandboxRefused(f"It returned {_kind(result)}, not True or False")
    return result


def as_object(result: object) -> dict[str, Any]:
    """Return a parser's result; raise SandboxRefused unless it is a small object."""
    if type(result) is not dict:
        raise SandboxRefused(f"It returned {_kind(result)}, not a dict")
    _check(result)
    try:
        size = len(json.dumps(result))
    except ValueError:
        raise SandboxRefused("Its result has a number with too many digits") from None
    if size > MAX_RESULT_BYTES:
        raise SandboxRefused(_TOO_LARGE)
    return result


def _check(result: dict[Any, Any]) -> None:
    """Walk through the result level by level; stop when it is found to be too large."""
    level: list[Any] = [result]
    remaining_bytes = MAX_RESULT_BYTES
    while level:
        deeper: list[Any] = []
        for value in level:
            remaining_bytes -= len(value) if isinstance(value, str) else 1
            if remaining_bytes < 0:
                raise SandboxRefused(_TOO_LARGE)
            deeper += _children(value)
        level = deeper
    if is_deeper_than(result, MAX_RESULT_DEPTH):
        raise SandboxRefused(f"Its result has more than {MAX_RESULT_DEPTH} levels")


def _children(value: object) -> list[Any]:
    if type(value) is dict:
        if not all(type(key) is str for key in value):
            raise SandboxRefused("Its result has a key that is not text")
        return [*value.keys(), *value.values()]
    if type(value) is list:
        return value
    if value is None or type(value) in (str, bool, int):
        return []
    if type(value) is float and math.isfinite(value):
        return []
    raise SandboxRefused(f"Its result contains {_kind(value)}, which is not JSON")


def _kind(value: object) -> str:
    if isinstance(value, float):
        return f"the number {value}"
    return "None" if value is None else f"a {type(value).__name__}"
