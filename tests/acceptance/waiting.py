"""Waiting for a state, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

_EVERY_SECONDS = 0.05
# Queries that count thousands of rows slow down what the test waits for.
_COUNT_EVERY_SECONDS = 0.25


def wait_for(condition: Callable[[], T], *, timeout_seconds: float) -> T:
    """Return the first true value of `condition`; fail the test at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"Still {answer!r} after {timeout_seconds} s")
        time.sleep(_EVERY_SECONDS)
    return answer


def wait_until_equal(
    ask: Callable[[], T], expected: T, *, timeout_seconds: float
) -> None:
    """Wait until `ask` returns `expected`; fail with its last value at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    while (answer := ask()) != expected:
        if time.monotonic() > deadline:
            pytest.fail(f"{answer!r}, not {expected!r}, after {timeout_seconds} s")
        time.sleep(_COUNT_EVERY_SECONDS)
