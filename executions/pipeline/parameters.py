"""What the agent is given: the trigger's own parameters, the mapped ones, the event.

    {**task_parameters, **parameter_mapping, "trigger_data": {…, "body": <as sent>}}

A body that is JSON is spliced in as its sender wrote it, so that no number or escape
changes on the way.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from common.fields import dump_json
from conditions.document import Document, Find, parse_field
from conditions.values import MISSING
from events.models import Event, EventSource
from executions.pipeline.bodies import Body
from executions.pipeline.document import iso, schedule_values
from executions.pipeline.matching import Pair
from senders.parsing import BodyKind


def build_parameters(pair: Pair, document: Document, body: Body) -> str:
    """Return the task's parameters as JSON text."""
    trigger, options = pair.trigger, options_of(pair.event)
    own = {
        **trigger.task_parameters,
        **_mapped(trigger.parameter_mapping, document),
        **options.get("parameters", {}),
    }
    return _dump({**own, "trigger_data": trigger_data(pair, document)}, body)


def options_of(event: Event) -> dict[str, Any]:
    """Return what the person who pressed run asked for."""
    return event.options if isinstance(event.options, dict) else {}


def trigger_data(pair: Pair, document: Document) -> dict[str, object]:
    """Return what the event says, all but its body."""
    event = pair.event
    request = document.values["request"]
    assert isinstance(request, dict)  # noqa: S101 - built by event_values
    data: dict[str, object] = {
        "event_id": str(event.id),
        "event_type": event.type,
        "source": _source_word(event),
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


def _source_word(event: Event) -> str:
    """What a schedule causes is called `cron` in what an agent is given (R87)."""
    return "cron" if event.source == EventSource.SCHEDULE else str(event.source)


def _mapped(mapping: dict[str, str], document: Document) -> dict[str, object]:
    """Look the mapped fields up; one that is missing is null."""
    found = {name: _finder(f)(document.values) for name, f in mapping.items()}
    return {name: None if v is MISSING else v for name, v in found.items()}


@lru_cache(maxsize=4096)
def _finder(field: str) -> Find:
    return parse_field(field).finder()


def _dump(parameters: dict[str, Any], body: Body) -> str:
    """Write JSON with the body's own bytes in it where they are JSON.

    orjson refuses what the standard library writes (integers over 64 bit, lone
    surrogates): then the body is written anew.
    """
    data = parameters["trigger_data"]
    spliced = {**data, "body": _fragment(body)}
    try:
        return orjson.dumps({**parameters, "trigger_data": spliced}).decode()
    except (TypeError, UnicodeDecodeError):
        return dump_json({**parameters, "trigger_data": {**data, "body": body.value}})


def _fragment(body: Body) -> object:
    is_json = body.parsed is not None and body.parsed.kind == BodyKind.JSON
    if is_json and body.raw.lstrip()[:1] in b'{["-0123456789tfn':
        return orjson.Fragment(body.raw)
    return body.value
