"""Limits the cost of parsing JSON.

A value of two bytes, `[]`, takes a hundred times as much memory as a Python object, and
the thread that makes the objects holds the interpreter lock.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

T = TypeVar("T")

MAX_CONTAINERS = 100_000
MAX_VALUES = 1_000_000
MAX_DEPTH = 100
# With fewer containers, the garbage collector runs too rarely to matter.
_MANY_CONTAINERS = 1_000
# Splitting at more quotes than this is itself too expensive.
_MAX_QUOTES = 1_000_000
_CONTAINERS = (dict, list)
_NOT_COUNTED = bytes(set(range(256)) - set(b'"[{,'))


class JSONTooCostly(ValueError):
    """The JSON has too many values, or they are nested too deeply."""


def parse_within_cost(body: bytes, parse: Callable[[bytes], T]) -> T:
    """Return what `parse` returns; the text of JSONTooCostly continues "The JSON".

    The limits are 100,000 arrays and objects, 1,000,000 values and 100 levels. Brackets
    and commas between quotes do not count.
    """
    containers = body.count(b"[") + body.count(b"{")
    if containers > MAX_CONTAINERS or containers + body.count(b",") > MAX_VALUES:
        _check_outside_strings(body)
    # The collector would find many new objects and free none.
    with _collector_pauses if containers > _MANY_CONTAINERS else nullcontext():
        value = parse(body)
        if containers > MAX_DEPTH and is_deeper_than(value, MAX_DEPTH):
            raise JSONTooCostly(f"is nested more than {MAX_DEPTH} levels deep")
    return value


def _check_outside_strings(body: bytes) -> None:
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two adjacent quotes begin and end a string, or end one and begin the next: without
    # them, the same characters are between quotes as before.
    counted = body.translate(None, _NOT_COUNTED).replace(b'""', b"")
    # UTF-16, which has NULs, can contain the byte of a quote where no string begins.
    if counted.count(b'"') <= _MAX_QUOTES and b"\x00" not in body:
        counted = b"".join(counted.split(b'"')[::2])
    containers = counted.count(b"[") + counted.count(b"{")
    if containers > MAX_CONTAINERS:
        raise JSONTooCostly(f"has more than {MAX_CONTAINERS:,} arrays and objects")
    if containers + counted.count(b",") > MAX_VALUES:
        raise JSONTooCostly(f"has more than {MAX_VALUES:,} values")


class _CollectorPauses:
    """Keeps the garbage collector from running while any thread is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._was_enabled = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._count:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1
            if not self._count and self._was_enabled:
                gc.enable()


_collector_pauses = _CollectorPauses()


def is_deeper_than(value: object, limit: int) -> bool:
    """Return whether a JSON value is nested more than `limit` levels deep.

    It goes level by level, since recursion would overflow on the values that it finds.
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
