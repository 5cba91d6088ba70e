"""The fields that a webhook type extracts from requests, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import Fault, json_pointer
from senders.definitions.sources import BodySource, Source, load_source, parse_pointer

# What `parsed` holds for every webhook; an extracted field never replaces it.
RESERVED_NAMES = frozenset({
    "service", "method", "headers", "query_params", "body", "content_type",
    "raw_payload", "schema_valid", "schema_error", "is_valid", "parse_error",
    "shortened",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedField:
    """A name, and the sources of its value: the first that has a value counts.

    With `is_presence`, the value is whether one of them has a value.
    """

    name: str
    sources: tuple[Source, ...]
    is_presence: bool = False


def load_extraction(data: Mapping[str, Any]) -> tuple[ExtractedField, ...]:
    """Return the fields of `{"chat_id": ["/message/chat/id", {"header": "X-Chat"}]}`.

    A text is a JSON Pointer into the body; `{"present": [...]}` asks for presence.
    """
    fields = []
    for name, item in data.items():
        is_presence = isinstance(item, Mapping)
        sources = tuple(
            BodySource(path=parse_pointer(one))
            if isinstance(one, str)
            else load_source(one)
            for one in (item["present"] if is_presence else item)
        )
        fields.append(
            ExtractedField(name=name, sources=sources, is_presence=is_presence)
        )
    return tuple(fields)


def find_extraction_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Find names that `parsed` uses for something else."""
    for name in data:
        if name in RESERVED_NAMES:
            detail = f"'{name}' is in `parsed` of every webhook; choose another name"
            yield Fault(json_pointer("extract", name), detail)
