"""Sample deliveries: `senders/samples/<slug>/<event>.json`, one file an event.

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

DEFAULT_EVENT = "test"
DEFAULT_CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDelivery:
    """What a sender would send of one kind of event."""

    event: str
    body: bytes
    content_type: str = DEFAULT_CONTENT_TYPE
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


def sample_events(slug: str) -> list[str]:
    """Return the events of a type that there are samples of, by their files' names."""
    return list(_samples(slug))


def sample_of(slug: str, event: str = "") -> SampleDelivery | None:
    """Return the sample of an event, or the type's first; None if it has none such.

    A type without any samples has one of every event: a short greeting.
    """
    samples = _samples(slug)
    if not samples:
        return _greeting(event or DEFAULT_EVENT)
    return samples.get(event or next(iter(samples)))


def _greeting(event: str) -> SampleDelivery:
    body = json.dumps({"type": event, "message": "Hello"}).encode()
    return SampleDelivery(event=event, body=body)


@cache
def _samples(slug: str) -> Mapping[str, SampleDelivery]:
    folder = files("senders").joinpath("samples", slug)
    if not folder.is_dir():
        return {}
    documents = sorted(folder.iterdir(), key=lambda file: file.name)
    loaded = (_load(json.loads(file.read_bytes())) for file in documents)
    return {sample.event: sample for sample in loaded}


def _load(data: Mapping[str, Any]) -> SampleDelivery:
    text = data.get("body_text")
    body = json.dumps(data["body"], ensure_ascii=False) if text is None else text
    return SampleDelivery(
        event=data["event"],
        body=body.encode(),
        content_type=data.get("content_type", DEFAULT_CONTENT_TYPE),
        headers=data.get("headers", {}),
    )
