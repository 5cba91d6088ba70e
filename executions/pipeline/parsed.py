"""What the document calls `parsed`: a webhook's request, taken apart.

    {service, method, headers, query_params, body, content_type, raw_payload, …}

A type's parser adds to it and may replace what it finds, except `raw_payload`; a type
with a schema or with validation code adds its verdict. Of other events it is the body.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from conditions.document import TextPath
from events.models import Event
from executions.pipeline.bodies import Body
from executions.pipeline.code import CodeOfBatch
from senders.definitions import WebhookTypeDefinition
from senders.sandbox import SandboxRefused
from webhooks.receiver.validation import VALIDATED, has_validation
from webhooks.types import find_body_faults

_REQUEST_PARTS = ("headers", "query_params")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A value, where in it scalars came as text, and whether it is to be believed."""

    value: object
    text_paths: frozenset[TextPath]
    is_valid: bool = True


class EventParser:
    """Takes the events of a batch apart, also if asked again and again for one."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._code = CodeOfBatch(events)
        self._last: tuple[UUID, Parsed] | None = None

    def parse(self, event: Event, body: Body) -> Parsed:
        """Raise SandboxUnavailable where the code of the event's type can't run."""
        if self._last is None or self._last[0] != event.id:
            self._last = event.id, _parse(event, body, self._code)
        return self._last[1]


def _parse(event: Event, body: Body, code: CodeOfBatch) -> Parsed:
    definition = body.sender
    if definition is None:
        return _plain(body)
    request = _request_values(event, body)
    is_valid = _is_valid(event, body, definition, code)
    added = _added(event, body, definition, code) if is_valid else {}
    verdict = {"is_valid": is_valid} if has_validation(definition) else {}
    return Parsed(
        value={
            "service": definition.slug,
            **request,
            "content_type": event.content_type or "unknown",
            **added,
            **_schema_verdict(definition.json_schema, body.value),
            **verdict,
            "raw_payload": request,
        },
        text_paths=_text_paths(body, replaced=added),
        is_valid=is_valid,
    )


def _is_valid(
    event: Event, body: Body, definition: WebhookTypeDefinition, code: CodeOfBatch
) -> bool:
    """Whether validation code accepts, here or when the event was received."""
    if not has_validation(definition) or _was_validated(event):
        return True
    return code.is_valid(event, body, definition)


def _added(
    event: Event, body: Body, definition: WebhookTypeDefinition, code: CodeOfBatch
) -> dict[str, object]:
    if not definition.custom_parser_code:
        return {}
    try:
        return code.parse(event, body, definition)
    except SandboxRefused as error:
        return {"parse_error": error.detail}


def _plain(body: Body) -> Parsed:
    paths = frozenset({("parsed",)}) if body.is_text else frozenset[TextPath]()
    return Parsed(value=body.value, text_paths=paths)


def _request_values(event: Event, body: Body) -> dict[str, object]:
    request: dict[str, Any] = event.request or {}
    return {
        "method": request.get("method", ""),
        "headers": request.get("headers", {}),
        "body": body.value,
        "query_params": request.get("query", {}),
    }


def _was_validated(event: Event) -> bool:
    request: dict[str, Any] = event.request or {}
    return request.get(VALIDATED) is True


def _schema_verdict(
    schema: Mapping[str, Any] | bool | None, value: object
) -> dict[str, object]:
    if schema is None:
        return {}
    faults = find_body_faults(schema, value)
    if not faults:
        return {"schema_valid": True}
    first = faults[0]
    pointer = first.pointer.removeprefix("/body")
    text = f"{pointer}: {first.detail}" if pointer else first.detail
    return {"schema_valid": False, "schema_error": text}


def _text_paths(body: Body, *, replaced: Collection[str]) -> frozenset[TextPath]:
    parts = [*_REQUEST_PARTS, *(("body",) if body.is_text else ())]
    ours = {("parsed", part) for part in parts if part not in replaced}
    return frozenset(ours | {("parsed", "raw_payload", part) for part in parts})
