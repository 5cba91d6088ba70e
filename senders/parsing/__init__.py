"""Reads request bodies into plain values, and finds values in requests."""

from __future__ import annotations

from senders.errors import MalformedBody
from senders.parsing.bodies import BodyKind, ParsedBody, decode_body, parse_body
from senders.parsing.finding import (
    DeliveryIdentity,
    Finder,
    extract_identity,
    parse_sent,
)
from senders.parsing.repeats import stable_digest

__all__ = [
    "BodyKind",
    "DeliveryIdentity",
    "Finder",
    "MalformedBody",
    "ParsedBody",
    "decode_body",
    "extract_identity",
    "parse_body",
    "parse_sent",
    "stable_digest",
]
