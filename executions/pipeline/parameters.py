"""The document that conditions are evaluated on, and the task that is made from it.

The parameters of a task are the trigger's own, the mapped ones and the event:

    {**task_parameters, **parameter_mapping,
     "trigger_data": {…, "parsed": <what the webhook type finds>, "body": <as sent>}}

The bytes of a JSON body are inserted unchanged, so that no number or escape changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from agents.services.submit import NewTask
from common.errors import clean_text
from common.fields import dump_json
from common.values import MISSING
from conditions.document import Document, Find, TextPath, parse_field
from events.models import Event, EventSource
from executions.pipeline.match import Pair, options_of
from executions.pipeline.parse import Body, Parsed
from executions.pipeline.store import NewExecution
from senders.parsing import BodyKind
from triggers.models import Trigger
from triggers.services.scheduling import SCHEDULE_BACKFILL

_BODY_PATHS = frozenset({("body",), ("payload",), ("request", "body")})


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedValues:
    """The values that the documents of all triggers of an event have in common."""

    values: dict[str, object]
    text_paths: frozenset[TextPath]
    is_valid_delivery: bool
    found: Mapping[str, object] | None
    is_filtered: bool = False


def shared_values(event: Event, body: Body, parsed: Parsed) -> SharedValues:
    return SharedValues(
        values=_event_values(event, body, parsed),
        text_paths=parsed.text_paths | (_BODY_PATHS if body.is_text else frozenset()),
        is_valid_delivery=parsed.is_valid,
        found=parsed.found,
        is_filtered=parsed.is_filtered,
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


def build_task(
    execution: NewExecution, document: Document, body: Body, shared: SharedValues
) -> NewTask:
    """Return the task that an agent is given for an execution."""
    trigger, event = execution.pair.trigger, execution.pair.event
    return NewTask(
        agent_id=trigger.agent_id,
        idempotency_key=execution.id,
        task_type=trigger.task_type,
        title=clean_text(f"{trigger.name}: {event.type}", limit=255),
        subject=execution.subject,
        parameters=build_parameters(execution.pair, document, body, shared.found),
        metadata=dump_json(_metadata(execution)),
        concurrency_key=trigger.id,
    )


def _metadata(execution: NewExecution) -> dict[str, object]:
    trigger, event = execution.pair.trigger, execution.pair.event
    return {
        "trigger_id": str(trigger.id),
        "trigger_name": trigger.name,
        "trigger_version": trigger.version,
        "execution_id": str(execution.id),
        "event_id": str(event.id),
        "correlation_id": str(event.correlation_id),
        "cause_id": str(event.cause_id) if event.cause_id else None,
        "depth": event.depth,
        "created_at": iso(execution.executed_at),
        "fired_at": iso(event.received_at),
        "attempt": 1,
        **({"backfill": True} if event.type == SCHEDULE_BACKFILL else {}),
        **schedule_values(trigger, event),
    }


def build_parameters(
    pair: Pair,
    document: Document,
    body: Body,
    parsed: Mapping[str, object] | None = None,
) -> str:
    """Return the task's parameters as JSON text."""
    trigger, options = pair.trigger, options_of(pair.event)
    found = {
        name: _finder(field)(document.values)
        for name, field in trigger.parameter_mapping.items()
    }
    # A missing field is null.
    mapped = {name: None if v is MISSING else v for name, v in found.items()}
    own = {
        **trigger.task_parameters,
        **mapped,
        **options.get("parameters", {}),
    }
    data = trigger_data(pair, document)
    if parsed is not None:
        data["parsed"] = parsed
    return _dump({**own, "trigger_data": data}, body)


def trigger_data(pair: Pair, document: Document) -> dict[str, object]:
    """Return the members of `trigger_data`, except for the body."""
    event = pair.event
    request = document.values["request"]
    assert isinstance(request, dict)  # noqa: S101 - document_for builds it
    # Agents get "cron" for a schedule: the interface of tasks fixes that word.
    is_schedule = event.source == EventSource.SCHEDULE
    data: dict[str, object] = {
        "event_id": str(event.id),
        "event_type": event.type,
        "source": "cron" if is_schedule else str(event.source),
        "subject": event.subject,
        "received_at": iso(event.received_at),
        "execution_time": iso(event.scheduled_for or event.received_at),
        **schedule_values(pair.trigger, event),
    }
    if event.source == EventSource.WEBHOOK:
        data["method"] = request["method"]
        data["headers"] = request["headers"]
        data["query_params"] = request["query"]
        data["delivery_id"] = event.delivery_id
    return data


@lru_cache(maxsize=4096)
def _finder(field: str) -> Find:
    return parse_field(field).finder()


def _dump(parameters: dict[str, Any], body: Body) -> str:
    """Return JSON text that holds the bytes of the body itself where they are JSON.

    orjson rejects values that the standard library writes (integers over 64 bit, lone
    surrogates): then the standard library serializes the parsed body.
    """
    data = parameters["trigger_data"]
    is_json = body.parsed is not None and body.parsed.kind == BodyKind.JSON
    spliced = body.value
    if is_json and body.raw.lstrip()[:1] in b'{["-0123456789tfn':
        spliced = orjson.Fragment(body.raw)
    with_body = {**parameters, "trigger_data": {**data, "body": spliced}}
    try:
        return orjson.dumps(with_body).decode()
    except (TypeError, UnicodeDecodeError):
        return dump_json({**parameters, "trigger_data": {**data, "body": body.value}})


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
