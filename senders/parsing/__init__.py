"""Reads bodies of any kind into plain values. Knows no framework."""

from __future__ import annotations

from senders.parsing.bodies import BodyKind, ParsedBody, parse_body
from senders.parsing.encodings import decode_body
from senders.parsing.errors import MalformedBody
from senders.parsing.finding import Finder
from senders.parsing.identity import Identity, extract

__all__ = [
    "BodyKind",
    "Finder",
    "Identity",
    "MalformedBody",
    "ParsedBody",
    "decode_body",
    "extract",
    "parse_body",
]
