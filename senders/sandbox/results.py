from __future__ import annotations

import json
import math
from typing import Any

from common.json_cost import is_deeper_than
from senders.sandbox.errors import SandboxRefused
from senders.sandbox.limits import MAX_RESULT_BYTES, MAX_RESULT_DEPTH

_TOO_LARGE = f"It returned more than {MAX_RESULT_BYTES // 1024} KB"


def as_flag(result: object) -> bool:
    """Return a validator's answer; raise SandboxRefused for anything but a bool."""
    if not isinstance(result, bool):
        raise SandboxRefused(f"It returned {_kind(result)}, not True or False")
    return result


def as_object(result: object) -> dict[str, Any]:
    """Return a parser's result if it is a JSON object of a bounded size and depth."""
    if type(result) is not dict:
        raise SandboxRefused(f"It returned {_kind(result)}, not a dict")
    _check(result)
    try:
        size = len(json.dumps(result))
    except ValueError:
        raise SandboxRefused("Its result holds a number of too many digits") from None
    if size > MAX_RESULT_BYTES:
        raise SandboxRefused(_TOO_LARGE)
    return result


def _check(result: dict[Any, Any]) -> None:
    """Look level by level, and never at more than the result may have."""
    level: list[Any] = [result]
    room = MAX_RESULT_BYTES
    while level:
        deeper: list[Any] = []
        for value in level:
            room -= _least_size(value)
            if room < 0:
                raise SandboxRefused(_TOO_LARGE)
            deeper += _inside(value)
        level = deeper
    if is_deeper_than(result, MAX_RESULT_DEPTH):
        raise SandboxRefused(f"Its result is nested more than {MAX_RESULT_DEPTH} deep")


def _inside(value: object) -> list[Any]:
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
    raise SandboxRefused(f"Its result holds {_kind(value)}, which JSON has not")


def _least_size(value: object) -> int:
    return len(value) if isinstance(value, str) else 1


def _kind(value: object) -> str:
    if isinstance(value, float):
        return f"the number {value}"
    return "None" if value is None else f"a {type(value).__name__}"
