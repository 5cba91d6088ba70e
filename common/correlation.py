"""The event that caused the current code to run, so that emitted events refer to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """An event that caused another one."""

    event_id: UUID
    depth: int
    correlation_id: UUID


def cause_from_metadata(metadata: Mapping[str, Any]) -> Cause | None:
    """Return the cause in the metadata of a task; None if they contain no event."""
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
def emit_because_of(cause: Cause | None) -> Iterator[None]:
    """Set the cause of all events that this thread emits inside the `with` block."""
    token = _current.set(cause)
    try:
        yield
    finally:
        _current.reset(token)
