"""Extracts the fields of a webhook type from a request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from senders.definitions.extraction import ExtractedField
from senders.definitions.sources import BodySource, Source, reads_body
from senders.parsing.finding import Finder, resolve_pointer

# For the copy in a task, which has the whole body besides.
MAX_TEXT_LENGTH = 10_000
MAX_VALUE_BYTES = 10_000
SHORTENED = "shortened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """The fields that were found, and those of them that can only be text.

    Headers, the query and forms hold text only, so a number is text there.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    text_names: frozenset[str] = frozenset()


NOTHING_EXTRACTED = Extracted()


def extract_fields(
    fields: Iterable[ExtractedField], request: Finder, *, is_text: bool
) -> Extracted:
    """Return the fields of a request; those without a value are left out.

    `is_text` says whether the body holds text only.
    """
    values: dict[str, Any] = {}
    texts = set()
    for one in fields:
        source, value = _find(one, request)
        if one.is_presence:
            values[one.name] = source is not None
        elif source is not None:
            values[one.name] = value
            if is_text or not reads_body(source):
                texts.add(one.name)
    return Extracted(values=values, text_names=frozenset(texts))


def bound_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with long texts cut and large objects and lists left out.

    `shortened` then names the fields that this concerns.
    """
    kept: dict[str, Any] = {}
    shortened = []
    for name, value in values.items():
        if isinstance(value, str) and len(value) > MAX_TEXT_LENGTH:
            kept[name] = value[:MAX_TEXT_LENGTH]
            shortened.append(name)
        elif (
            isinstance(value, dict | list) and len(json.dumps(value)) > MAX_VALUE_BYTES
        ):
            shortened.append(name)
        else:
            kept[name] = value
    return {**kept, SHORTENED: shortened} if shortened else kept


def _find(one: ExtractedField, request: Finder) -> tuple[Source | None, object]:
    """Return the first source with a value, and the value.

    Most sources are those of other events, whose first name the body does not have.
    """
    body = request.body
    names = body if isinstance(body, dict) else None
    for source in one.sources:
        if type(source) is not BodySource:
            value = request.value(source)
        elif names is None or source.path[0] in names:
            value = resolve_pointer(body, source.path)
        else:
            continue
        if value is not None:
            return source, value
    return None, None
