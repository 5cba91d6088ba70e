"""Builds the parameters of a task: the trigger's own, the mapped ones and the event.

    {**task_parameters, **parameter_mapping, "trigger_data": {…, "body": <as sent>}}

The bytes of a JSON body are inserted unchanged, so that no number or escape changes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from common.fields import dump_json
from conditions.document import Document, Find, parse_field
from conditions.values import MISSING
from events.models import Event, EventSource
from executions.pipeline.document import iso, schedule_values
from executions.pipeline.new_execution import Pair
from executions.pipeline.parse import Body
from senders.parsing import BodyKind


def build_parameters(pair: Pair, document: Document, body: Body) -> str:
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
    return _dump({**own, "trigger_data": trigger_data(pair, document)}, body)


def options_of(event: Event) -> dict[str, Any]:
    """Return the options of a run that a person requested; empty for others."""
    return event.options if isinstance(event.options, dict) else {}


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
