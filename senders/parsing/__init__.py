"""Reads request bodies into plain values, and finds values in requests."""

from __future__ import annotations

from senders.errors import MalformedBody
from senders.parsing.bodies import BodyKind, ParsedBody, decode_body, parse_body
from senders.parsing.extraction import (
    NOTHING_EXTRACTED,
    Extracted,
    bound_fields,
    extract_fields,
)
from senders.parsing.finding import (
    DeliveryIdentity,
    Finder,
    extract_identity,
    parse_sent,
)
from senders.parsing.repeats import stable_digest

__all__ = [
    "NOTHING_EXTRACTED",
    "BodyKind",
    "DeliveryIdentity",
    "Extracted",
    "Finder",
    "MalformedBody",
    "ParsedBody",
    "bound_fields",
    "decode_body",
    "extract_fields",
    "extract_identity",
    "parse_body",
    "parse_sent",
    "stable_digest",
]
