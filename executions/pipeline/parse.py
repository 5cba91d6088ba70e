"""Reads the bodies of events, and takes webhook requests apart.

The result is what conditions read as `parsed`:

    {service, method, headers, query_params, body, content_type, raw_payload, …}

The fields that a type extracts stand next to these. Its parser adds members, and may
replace all but `raw_payload`. A type with a JSON Schema or validation code adds its
result. For other events, it is the body.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from conditions.document import TextPath
from events.models import Event, EventSource
from senders.definitions import WebhookTypeDefinition
from senders.definitions.extraction import RESERVED_NAMES
from senders.parsing import (
    NOTHING_EXTRACTED,
    Extracted,
    Finder,
    MalformedBody,
    ParsedBody,
    bound_fields,
    decode_body,
    extract_fields,
    parse_body,
    parse_sent,
)
from senders.parsing.cloudevents import read_envelope
from senders.sandbox import (
    SandboxRefused,
    SandboxTimedOut,
    SandboxUnavailable,
    run_parser,
    run_validator,
)
from webhooks.models import WebhookEndpoint
from webhooks.types import (
    EventFilters,
    StoredRequest,
    definitions_of,
    find_body_faults,
    has_validation_code,
)

T = TypeVar("T")

MAX_TIMEOUTS = 3
_REQUEST_PARTS = ("headers", "query_params")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An event's body without its Content-Encoding, and the value it holds.

    `parsed` is None if the body cannot be read: the receiver rejects such bodies, but
    the replay of an old event may have one. `sender` is the sender of a webhook.
    """

    raw: bytes
    parsed: ParsedBody | None
    sender: WebhookTypeDefinition | None = None

    @property
    def value(self) -> object:
        return self.parsed.value if self.parsed else None

    @property
    def is_text(self) -> bool:
        return self.parsed is not None and self.parsed.is_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A value, the paths in it whose scalars arrived as text, and its validity.

    `found` is what the type extracts and its parser adds, bounded in size for the task;
    None if it has neither. With `is_filtered`, the config of the endpoint leaves events
    of this type out.
    """

    value: object
    text_paths: frozenset[TextPath]
    is_valid: bool = True
    found: Mapping[str, object] | None = None
    is_filtered: bool = False


def read_bodies(events: Sequence[Event]) -> dict[UUID, Body]:
    """Read the body of every event once; a replay's is stored with its original."""
    originals = {event.replay_of for event in events if event.replay_of}
    replayed = Event.objects.in_bulk(originals) if originals else {}
    sources = {
        event.id: replayed.get(event.replay_of, event) if event.replay_of else event
        for event in events
    }
    senders = definitions_of({_slug_of(e) for e in sources.values()} - {""})
    return {key: _read(event, senders) for key, event in sources.items()}


def _slug_of(event: Event) -> str:
    """Return the slug of a webhook's sender; empty for other events."""
    is_webhook = event.source == EventSource.WEBHOOK
    return event.type.partition(".")[0] if is_webhook else ""


def _read(event: Event, senders: Mapping[str, WebhookTypeDefinition]) -> Body:
    raw, sender = bytes(event.body), senders.get(_slug_of(event))
    request: dict[str, Any] = event.request or {}
    encoding = ""
    if event.source == EventSource.WEBHOOK:
        encoding = str(request.get("headers", {}).get("content-encoding", ""))
    try:
        raw = decode_body(raw, encoding)
        if sender is None:
            parsed = parse_body(raw, event.content_type)
        else:
            parsed = parse_sent(sender, raw, event.content_type)
    except MalformedBody:
        return Body(raw=raw, parsed=None, sender=sender)
    return Body(raw=raw, parsed=parsed, sender=sender)


class TypeCodeRunner:
    """Runs parsers and validators; slow code of one type does not hold up the others.

    After the sandbox was unavailable once, it is not called again for this batch. Code
    that timed out three times is not run again either: its remaining events are
    deferred, because they need not be the cause.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._endpoints = {event.endpoint_id for event in events if event.endpoint_id}
        self._timeouts: Counter[str] = Counter()
        self._is_sandbox_down = False

    def parse(
        self, event: Event, body: object, definition: WebhookTypeDefinition
    ) -> dict[str, object]:
        """Return what the type's parser adds; raises what the sandbox raises."""
        request = self._request(event, body)
        return self._run(
            definition.slug,
            lambda: run_parser(definition.custom_parser_code, **request),
        )

    def is_valid(
        self, event: Event, body: object, definition: WebhookTypeDefinition
    ) -> bool:
        """Return whether the type's validation code accepts; False if it fails."""
        request = self._request(event, body)
        try:
            return self._run(
                definition.slug,
                lambda: run_validator(definition.validation_code, **request),
            )
        except SandboxRefused:
            return False

    @cached_property
    def _configs(self) -> dict[UUID, dict[str, Any]]:
        rows = WebhookEndpoint.objects.filter(pk__in=self._endpoints).only("config")
        return {endpoint.id: endpoint.config for endpoint in rows}

    def _request(self, event: Event, body: object) -> dict[str, Any]:
        request: dict[str, Any] = event.request or {}
        endpoint_id = event.endpoint_id
        return {
            "body": body,
            "headers": request.get("headers", {}),
            "config": self._configs.get(endpoint_id, {}) if endpoint_id else {},
            "query": request.get("query", {}),
            "method": request.get("method", ""),
        }

    def _run(self, slug: str, run: Callable[[], T]) -> T:
        if self._is_sandbox_down:
            raise SandboxUnavailable
        if self._timeouts[slug] >= MAX_TIMEOUTS:
            raise SandboxUnavailable(
                f"The code ran too long {MAX_TIMEOUTS} times; "
                "it is not run again in this batch"
            )
        try:
            return run()
        except SandboxTimedOut:
            self._timeouts[slug] += 1
            raise
        except SandboxUnavailable:
            self._is_sandbox_down = True
            raise


class EventParser:
    """Parses the events of a batch; repeated calls for one event parse it once."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._code = TypeCodeRunner(events)
        self._filters = EventFilters(e.endpoint_id for e in events)
        self._last: tuple[UUID, Parsed] | None = None

    def parse(self, event: Event, body: Body) -> Parsed:
        """Raise SandboxUnavailable if the code of the event's type cannot run now."""
        if self._last is None or self._last[0] != event.id:
            self._last = event.id, _parse(event, body, self._code, self._filters)
        return self._last[1]


def _parse(
    event: Event, body: Body, code: TypeCodeRunner, filters: EventFilters
) -> Parsed:
    definition = body.sender
    if definition is None:
        paths = frozenset({("parsed",)}) if body.is_text else frozenset[TextPath]()
        return Parsed(value=body.value, text_paths=paths)
    request = _request_values(event, body)
    extracted = _extract(event, body, definition)
    validates = has_validation_code(definition)
    was_validated = StoredRequest.from_event(event.request).is_validated
    is_valid = (
        not validates
        or was_validated  # by the receiver
        or code.is_valid(event, body.value, definition)
    )
    added = _parser_values(event, body, definition, code) if is_valid else {}
    validity = {"is_valid": is_valid} if validates else {}
    return Parsed(
        value={
            **extracted.values,
            "service": definition.slug,
            **request,
            "content_type": event.content_type or "unknown",
            **added,
            **_schema_values(definition.json_schema, body.value),
            **validity,
            "raw_payload": request,
        },
        text_paths=_text_paths(body, extracted.text_names, replaced=added),
        is_valid=is_valid,
        found=_found(definition, extracted.values, added),
        is_filtered=not filters.accept(definition, event.type, event.endpoint_id),
    )


def _extract(event: Event, body: Body, definition: WebhookTypeDefinition) -> Extracted:
    if not definition.extract:
        return NOTHING_EXTRACTED
    request = StoredRequest.from_event(event.request)
    headers = {**request.headers, "content-type": event.content_type}
    sent = Finder(headers=headers, query=request.query, body=body.value)
    finder = read_envelope(definition.envelope, sent)
    return extract_fields(definition.extract, finder, is_text=body.is_text)


def _found(
    definition: WebhookTypeDefinition,
    extracted: Mapping[str, object],
    added: Mapping[str, object],
) -> Mapping[str, object] | None:
    if not definition.extract and not definition.custom_parser_code:
        return None
    own = {name: v for name, v in added.items() if name not in RESERVED_NAMES}
    return bound_fields({**extracted, **own})


def _request_values(event: Event, body: Body) -> dict[str, object]:
    request = StoredRequest.from_event(event.request)
    return {
        "method": request.method,
        "headers": request.headers,
        "body": body.value,
        "query_params": request.query,
    }


def _parser_values(
    event: Event, body: Body, definition: WebhookTypeDefinition, code: TypeCodeRunner
) -> dict[str, object]:
    if not definition.custom_parser_code:
        return {}
    try:
        return code.parse(event, body.value, definition)
    except SandboxRefused as error:
        return {"parse_error": error.detail}


def _schema_values(
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


def _text_paths(
    body: Body, extracted: Collection[str], *, replaced: Collection[str]
) -> frozenset[TextPath]:
    parts = [*_REQUEST_PARTS, *(("body",) if body.is_text else ())]
    names = [*parts, *extracted]
    kept = {("parsed", name) for name in names if name not in replaced}
    return frozenset(kept | {("parsed", "raw_payload", part) for part in parts})
