"""What the code that runs now was called for, so that what it emits can say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """An event that led to another."""

    event_id: UUID
    depth: int
    correlation_id: UUID


def cause_in(metadata: Mapping[str, Any]) -> Cause | None:
    """Return the cause that a task's metadata name; None if they name no event."""
    if "event_id" not in metadata:
        return None
    return Cause(
        event_id=UUID(metadata["event_id"]),
        depth=metadata["depth"],
        correlation_id=UUID(metadata["correlation_id"]),
    )


_current: ContextVar[Cause | None] = ContextVar("cause", default=None)


def current_cause() -> Cause | None:
    return _current.get()


@contextmanager
def emitting_because_of(cause: Cause | None) -> Iterator[None]:
    """Make `cause` the cause of all that is emitted inside, in this thread."""
    token = _current.set(cause)
    try:
        yield
    finally:
        _current.reset(token)
