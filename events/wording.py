"""What pages call the sources of events."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from events.models import EventSource

EVENT_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        EventSource.WEBHOOK: "webhook",
        EventSource.SCHEDULE: "schedule",
        EventSource.EMIT: "a program",
        EventSource.MANUAL: "a person",
        EventSource.INTERNAL: "Tickhook itself",
    }
)
