"""Reads request bodies: content encoding first, then the value by content type."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum

from senders.errors import BodyExpandsTooFar, MalformedBody, UnknownEncoding
from senders.parsing.forms import parse_form, parse_header, parse_multipart
from senders.parsing.json_bodies import parse_json

GZIP_NAMES = frozenset({"gzip", "x-gzip"})
PLAIN_NAMES = frozenset({"", "identity"})
MAX_DECODED_BYTES = 25 * 1024 * 1024
MAX_RATIO = 100
# Up to this size any ratio is accepted: decoding so little is cheap.
ALWAYS_DECODED_BYTES = 1024 * 1024
MAX_MEMBERS = 16
_GZIP_WINDOW = zlib.MAX_WBITS | 16

JSON_TYPES = frozenset({"application/json", "text/json"})
XML_TYPES = frozenset({"application/xml", "text/xml"})
# Amazon SNS declares its JSON as text/plain, and some senders declare no type.
UNDECLARED_TYPES = frozenset({"", "text/plain"})


class BodyKind(StrEnum):
    EMPTY = "empty"
    JSON = "json"
    FORM = "form"
    MULTIPART = "multipart"
    XML = "xml"
    TEXT = "text"
    BINARY = "binary"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedBody:
    """The value of a body. With `is_text`, its numbers were sent as text."""

    value: object
    kind: BodyKind
    is_text: bool = False


def decode_body(body: bytes, encoding: str) -> bytes:
    """Undo a Content-Encoding (RFC 9110): gzip or none.

    Raise UnknownEncoding for other encodings, BodyExpandsTooFar if the body grows
    beyond 25 MB or more than a hundredfold, and MalformedBody if it is not gzip.
    """
    name = encoding.strip().lower()
    if name in PLAIN_NAMES:
        return body
    if name not in GZIP_NAMES:
        raise UnknownEncoding
    return _gunzip(body)


def parse_body(
    body: bytes, content_type: str, *, form_json_field: str | None = None
) -> ParsedBody:
    """Return the value of a body by its content type; raise only MalformedBody.

    `form_json_field` names the form field that, if present, holds the whole payload as
    JSON. A body of an unknown type that is not UTF-8 has no value.
    """
    name, parameters = parse_header(content_type)
    if not body:
        return ParsedBody(value=None, kind=BodyKind.EMPTY)
    if name in JSON_TYPES or name.endswith("+json"):
        return ParsedBody(value=parse_json(body), kind=BodyKind.JSON)
    if name == "application/x-www-form-urlencoded":
        fields = parse_form(body, parameters.get("charset", ""))
        return _from_fields(fields, BodyKind.FORM, form_json_field)
    if name == "multipart/form-data":
        fields = parse_multipart(body, parameters.get("boundary", ""))
        return _from_fields(fields, BodyKind.MULTIPART, form_json_field)
    return _from_text(body, name)


def _gunzip(body: bytes) -> bytes:
    limit = min(MAX_DECODED_BYTES, max(ALWAYS_DECODED_BYTES, MAX_RATIO * len(body)))
    decoded, rest = bytearray(), body
    for _ in range(MAX_MEMBERS + 1):
        if not rest:
            return bytes(decoded)
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            decoded += member.decompress(rest, limit + 1 - len(decoded))
        except zlib.error as error:
            raise MalformedBody("The body is not valid gzip.") from error
        if len(decoded) > limit:
            raise BodyExpandsTooFar
        if not member.eof:
            raise MalformedBody("The gzip body is incomplete.")
        rest = member.unused_data
    raise MalformedBody(f"The gzip body has more than {MAX_MEMBERS} members.")


def _from_fields(
    fields: dict[str, object], kind: BodyKind, form_json_field: str | None
) -> ParsedBody:
    payload = fields.get(form_json_field) if form_json_field is not None else None
    if not isinstance(payload, str):
        return ParsedBody(value=fields, kind=kind, is_text=True)
    return ParsedBody(value=parse_json(payload.encode()), kind=kind)


def _from_text(body: bytes, name: str) -> ParsedBody:
    if name in UNDECLARED_TYPES and body.lstrip()[:1] in (b"{", b"["):
        try:
            return ParsedBody(value=parse_json(body), kind=BodyKind.JSON)
        except MalformedBody:  # plain text can start with a bracket, too
            pass
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return ParsedBody(value=None, kind=BodyKind.BINARY)
    is_xml = name in XML_TYPES or name.endswith("+xml")
    kind = BodyKind.XML if is_xml else BodyKind.TEXT
    return ParsedBody(value=text, kind=kind, is_text=True)
