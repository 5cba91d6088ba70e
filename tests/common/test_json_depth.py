from __future__ import annotations

import pytest

from common.json_cost import is_deeper_than


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize(
    ("value", "limit", "is_deeper"),
    [
        (1, 0, False),
        ([], 0, True),
        ([], 1, False),
        (nested(2), 4, False),
        (nested(2), 3, True),
        (nested(10_000), 100, True),
    ],
    ids=range(6),
)
def test_nesting_is_measured(value: object, limit: int, is_deeper: bool) -> None:
    assert is_deeper_than(value, limit) is is_deeper
