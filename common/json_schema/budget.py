from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# A step takes 2 to 5 microseconds: what is given up has taken half a second at most.
MAX_STEPS = 50_000


class UnusableSchema(ValueError):
    """The schema refers to what it does not hold, or to itself without end."""


class BudgetSpent(Exception):
    """A check takes more steps than it may."""


_left: ContextVar[int] = ContextVar("steps_left", default=MAX_STEPS)


@contextmanager
def budget(steps: int = MAX_STEPS) -> Iterator[None]:
    """Let at most so many steps be spent within."""
    token = _left.set(steps)
    try:
        yield
    finally:
        _left.reset(token)


def spend(steps: int) -> None:
    """Take steps from what is left; raise BudgetSpent where that is not enough."""
    left = _left.get() - steps
    _left.set(left)
    if left < 0:
        raise BudgetSpent


def count_values(value: object) -> int:
    """Return how many values a JSON value holds, itself included."""
    count, rest = 0, [value]
    while rest:
        item = rest.pop()
        count += 1
        if isinstance(item, dict):
            rest.extend(item.values())
        elif isinstance(item, list):
            rest.extend(item)
    return count
