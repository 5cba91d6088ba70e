"""Who may do what with events and the catalogue of their types."""

from __future__ import annotations

from access.policy import SHARED, by_subject, crud, payload_act, register
from events.models import Event, EventType

EVENTS = crud("events.event", "events")
EVENT_TYPES = crud("events.eventtype", "events", is_global=True)
EVENT_PAYLOADS = payload_act("events")

register(Event, by_subject("subject"))
register(EventType, SHARED)
