from __future__ import annotations

_CONTAINERS = (dict, list)


def is_deeper_than(value: object, limit: int) -> bool:
    """Whether lists and objects of a JSON value are nested more than `limit` deep.

    Level by level: a recursive walk would overflow on what it looks for.
    """
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, _CONTAINERS)
        ]
    return bool(level)
