from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

_EVERY_SECONDS = 0.05
# Counting thousands of rows takes its share of the machine, too.
_COUNT_EVERY_SECONDS = 0.25


def wait_for(condition: Callable[[], T], *, timeout_seconds: float) -> T:
    """Ask until the answer is true and return it; fail the test if it never is."""
    deadline = time.monotonic() + timeout_seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"Still {answer!r} after {timeout_seconds} s")
        time.sleep(_EVERY_SECONDS)
    return answer


def wait_until_equal(
    ask: Callable[[], T], expected: T, *, timeout_seconds: float
) -> None:
    """Ask until the answer is the expected one; fail with the last one otherwise."""
    deadline = time.monotonic() + timeout_seconds
    while (answer := ask()) != expected:
        if time.monotonic() > deadline:
            pytest.fail(f"{answer!r}, not {expected!r}, after {timeout_seconds} s")
        time.sleep(_COUNT_EVERY_SECONDS)
