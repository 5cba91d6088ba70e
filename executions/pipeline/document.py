"""Builds the document that conditions are evaluated on and parameters taken from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from conditions.document import Document, TextPath
from events.models import Event, EventSource
from executions.pipeline.parse import Body, Parsed
from triggers.models import Trigger

_BODY_PATHS = frozenset({("body",), ("payload",), ("request", "body")})


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedValues:
    """The values that the documents of all triggers of an event have in common."""

    values: dict[str, object]
    text_paths: frozenset[TextPath]
    is_valid_delivery: bool


def shared_values(event: Event, body: Body, parsed: Parsed) -> SharedValues:
    return SharedValues(
        values=_event_values(event, body, parsed),
        text_paths=parsed.text_paths | (_BODY_PATHS if body.is_text else frozenset()),
        is_valid_delivery=parsed.is_valid,
    )


def _event_values(event: Event, body: Body, parsed: Parsed) -> dict[str, object]:
    request: dict[str, Any] = event.request or {}
    headers, query = request.get("headers", {}), request.get("query", {})
    return {
        "event": {
            "id": str(event.id),
            "type": event.type,
            "source": event.source,
            "subject": event.subject,
            "received_at": iso(event.received_at),
            "delivery_id": event.delivery_id,
            "correlation_id": str(event.correlation_id),
        },
        "request": {
            "method": request.get("method", ""),
            "headers": headers,
            "query": query,
            "body": body.value,
        },
        "payload": body.value,
        "parsed": parsed.value,
        "body": body.value,
        "headers": headers,
        "query": query,
    }


def document_for(trigger: Trigger, event: Event, shared: SharedValues) -> Document:
    """Return the document of one (trigger, event).

    `hour`, `minute`, `weekday` (0 = Monday) and `date` are in the trigger's time zone.
    They are those of the scheduled instant, or of the arrival of other events.
    """
    local = (event.scheduled_for or event.received_at).astimezone(
        ZoneInfo(trigger.timezone)
    )
    values = {
        **shared.values,
        "schedule": schedule_values(trigger, event),
        "trigger": {
            "id": str(trigger.id),
            "name": trigger.name,
            "type": trigger.trigger_type,
            "version": trigger.version,
        },
        "history": {
            "total_executions": trigger.stats.total_executions,
            "successful_executions": trigger.stats.successful_executions,
            "failed_executions": trigger.stats.failed_executions,
            "consecutive_failures": trigger.stats.consecutive_failures,
        },
        "hour": local.hour,
        "minute": local.minute,
        "weekday": local.weekday(),
        "date": local.date().isoformat(),
    }
    return Document(values, shared.text_paths)


def schedule_values(trigger: Trigger, event: Event) -> dict[str, object]:
    """Return the schedule and the instant of a scheduled event; empty for others."""
    if event.source != EventSource.SCHEDULE or event.scheduled_for is None:
        return {}
    late = (event.received_at - event.scheduled_for).total_seconds()
    return {
        "schedule_type": trigger.schedule_type,
        "cron_expression": trigger.cron_expression,
        "timezone": trigger.timezone,
        "scheduled_for": iso(event.scheduled_for),
        "fired_at": iso(event.received_at),
        "lateness_seconds": round(max(late, 0.0), 3),
    }


def iso(instant: datetime) -> str:
    """Return an instant in UTC in the format of RFC 3339."""
    return instant.isoformat().replace("+00:00", "Z")
