"""Reads bodies of any kind into plain values. Knows no framework."""

from __future__ import annotations

from webhooks.parsing.bodies import BodyKind, ParsedBody, parse_body
from webhooks.parsing.encodings import decode_body
from webhooks.parsing.errors import MalformedBody
from webhooks.parsing.finding import Finder
from webhooks.parsing.identity import Identity, extract

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
