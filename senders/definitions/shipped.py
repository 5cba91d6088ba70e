"""The webhook types that ship, and the sample deliveries of each.

A type is `senders/types/<slug>.json`, a sample `senders/samples/<slug>/<event>.json`:
`{"event": "push", "headers": {…}, "content_type": "…", "body": {…}}`, or `body_text`
for a body that is not JSON. Headers that name the event or the delivery, and those
that sign, are added when a sample is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from senders.definitions.webhook_types import WebhookTypeDefinition, load_definition

GENERIC = "generic"
DEFAULT_EVENT = "test"
DEFAULT_CONTENT_TYPE = "application/json"


def get_shipped(slug: str) -> WebhookTypeDefinition | None:
    """Return the shipped definition with this slug, which may be in any case."""
    slug = slug.lower()
    return _load_type(slug) if slug in _slugs() else None


def resolve(slug: str) -> WebhookTypeDefinition:
    """Return the shipped definition with this slug, or `generic` if there is none."""
    return get_shipped(slug) or _load_type(GENERIC)


def shipped_slugs() -> list[str]:
    return sorted(_slugs())


def shipped_document(slug: str) -> Mapping[str, Any]:
    """Return the document of a shipped definition; empty if there is none."""
    if get_shipped(slug) is None:
        return {}
    file = files("senders").joinpath("types", f"{slug.lower()}.json")
    document: Mapping[str, Any] = json.loads(file.read_bytes())
    return document


def slug_of_alias(name: str) -> str | None:
    """Return the slug of the shipped type that has this alias; None if none has it."""
    return _aliases().get(name.lower())


def shipped_names() -> Mapping[str, str]:
    """Return the slugs of the shipped types by all their names, in lower case."""
    names = {_load_type(slug).name.lower(): slug for slug in _slugs()}
    return {**names, **_aliases(), **{slug: slug for slug in _slugs()}}


@cache
def _aliases() -> Mapping[str, str]:
    return {alias: slug for slug in _slugs() for alias in _load_type(slug).aliases}


@cache
def _slugs() -> frozenset[str]:
    files_of_types = files("senders").joinpath("types").iterdir()
    return frozenset(file.name.removesuffix(".json") for file in files_of_types)


@cache
def _load_type(slug: str) -> WebhookTypeDefinition:
    """Load one type: a process that receives from one sender needs no other."""
    file = files("senders").joinpath("types", f"{slug}.json")
    return load_definition(json.loads(file.read_bytes()))


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDelivery:
    """A made-up delivery of one kind of event."""

    event: str
    body: bytes
    content_type: str = DEFAULT_CONTENT_TYPE
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


def sample_events(slug: str) -> list[str]:
    """Return the events that have a sample, in the order of the file names."""
    return list(_samples(slug))


def sample_of(slug: str, event: str = "") -> SampleDelivery | None:
    """Return the sample of an event, or the type's first; None if it has none.

    A type without samples gets a short greeting for every event.
    """
    samples = _samples(slug)
    if not samples:
        event = event or DEFAULT_EVENT
        body = compact_json({"type": event, "message": "Hello"})
        return SampleDelivery(event=event, body=body)
    return samples.get(event or next(iter(samples)))


@cache
def _samples(slug: str) -> Mapping[str, SampleDelivery]:
    folder = files("senders").joinpath("samples", slug)
    if not folder.is_dir():
        return {}
    documents = sorted(folder.iterdir(), key=lambda file: file.name)
    loaded = (_load_sample(json.loads(file.read_bytes())) for file in documents)
    return {sample.event: sample for sample in loaded}


def _load_sample(data: Mapping[str, Any]) -> SampleDelivery:
    text = data.get("body_text")
    body = compact_json(data["body"]) if text is None else text.encode()
    return SampleDelivery(
        event=data["event"],
        body=body,
        content_type=data.get("content_type", DEFAULT_CONTENT_TYPE),
        headers=data.get("headers", {}),
    )


def compact_json(value: object) -> bytes:
    """Return JSON without blanks, as senders write it; some sign no other form."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate can only be sent as an escape
        return json.dumps(value, separators=(",", ":")).encode()
