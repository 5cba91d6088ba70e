"""Reads request bodies: content encoding first, then the value by content type."""

from __future__ import annotations

import json
import math
import re
import zlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NoReturn

import orjson
import re2

from common.json_cost import JSONTooCostly, parse_within_cost
from senders.errors import (
    BodyExpandsTooFar,
    CostlyBody,
    MalformedBody,
    UnknownEncoding,
)
from senders.parsing.forms import (
    is_utf8,
    parse_form,
    parse_header,
    parse_multipart,
)

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
# Their content may look like JSON and is not: XML, and several values in one body.
NEVER_JSON = frozenset(
    {*XML_TYPES, "application/x-ndjson", "application/jsonl", "application/json-seq"}
)
BOM = b"\xef\xbb\xbf"

MAX_INTEGER_DIGITS = 4300
# orjson reads integers beyond 64 bits as floats; these have 19 digits or more.
_LONG_NUMBER = re2.compile(rb"[0-9]{19}")
# SendGrid puts up to 768 KB of events into one array.
MAX_ITEMS = 4000
_WHITESPACE = re.compile(r"[ \t\n\r]*")
_scan = json.JSONDecoder().raw_decode


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
    """The value of a body. With `is_text`, its numbers were sent as text.

    `read_as` is `json` for JSON under a content type that does not declare it;
    `warning` says how the body differs from its content type.
    """

    value: object
    kind: BodyKind
    is_text: bool = False
    read_as: str = ""
    warning: str = ""


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
    body: bytes,
    content_type: str,
    *,
    form_json_field: str | None = None,
    any_body: bool = False,
) -> ParsedBody:
    """Return the value of a body by its content type; raise only MalformedBody.

    `form_json_field` names the form field that, if present, holds the whole payload as
    JSON. Many clients declare their JSON as a form, as bytes or not at all, so a whole
    body that is a JSON object or array is read as JSON. With `any_body`, a body that is
    declared as JSON and is not JSON is text. A body of an unknown type that is not
    UTF-8 has no value.
    """
    name, parameters = parse_header(content_type)
    if not body:
        return ParsedBody(value=None, kind=BodyKind.EMPTY)
    if name in JSON_TYPES or name.endswith("+json"):
        return _from_json(body, parameters.get("charset", ""), any_body=any_body)
    if (undeclared := _find_json(body, name)) is not None:
        return undeclared
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


def _from_json(body: bytes, charset: str, *, any_body: bool) -> ParsedBody:
    try:
        return ParsedBody(value=parse_json(body), kind=BodyKind.JSON)
    except CostlyBody:
        raise
    except MalformedBody as error:
        if not any_body:
            raise
        warning = (
            "The content type declares JSON, but the body is taken as text: "
            f"{error.detail}"
        )
    if not is_utf8(charset):
        text = body.decode("latin-1")
        return ParsedBody(value=text, kind=BodyKind.TEXT, is_text=True, warning=warning)
    return replace(_from_text(body, ""), warning=warning)


def _find_json(body: bytes, name: str) -> ParsedBody | None:
    """Return the JSON object or array that a body is, whatever its type declares."""
    if body.removeprefix(BOM).lstrip()[:1] not in (b"{", b"["):
        return None
    if name in NEVER_JSON or name.endswith("+xml") or name.startswith("multipart/"):
        return None
    try:
        value = parse_json(body)
    except MalformedBody:  # text and forms can start with a bracket, too
        return None
    return ParsedBody(value=value, kind=BodyKind.JSON, read_as=BodyKind.JSON)


def _from_text(body: bytes, name: str) -> ParsedBody:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return ParsedBody(value=None, kind=BodyKind.BINARY)
    is_xml = name in XML_TYPES or name.endswith("+xml")
    kind = BodyKind.XML if is_xml else BodyKind.TEXT
    return ParsedBody(value=text, kind=kind, is_text=True)


def parse_json(body: bytes) -> object:
    """Return the JSON value of a body in UTF-8; raise MalformedBody if it is not JSON.

    Lone surrogates and integers of up to 4,300 digits are kept. A number beyond the
    range of a double (1e400) is valid JSON, but Python cannot represent it: it is
    rejected, as are NaN and Infinity.
    """
    try:
        return parse_within_cost(body, _parse_json)
    except JSONTooCostly as error:
        raise CostlyBody(f"The JSON {error}.") from error


def _parse_json(body: bytes) -> object:
    if _LONG_NUMBER.search(body) is not None:
        return _parse_exactly(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_exactly(body)


def _parse_exactly(body: bytes) -> object:
    """Parse JSON that orjson rejects or rounds; slower."""
    try:
        text = body.decode("utf-8-sig")
        return json.loads(
            text,
            parse_int=_parse_integer,
            parse_float=_parse_float,
            parse_constant=_reject_constant,
        )
    except UnicodeDecodeError as error:
        raise MalformedBody("The body is not valid UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedBody(f"The body is not valid JSON: {error}") from error
    except RecursionError as error:
        raise CostlyBody("The JSON is nested too deeply.") from error


def _parse_integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise MalformedBody(f"A number has more than {MAX_INTEGER_DIGITS} digits.")
    return int(text)


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise MalformedBody("A number is too large for a 64-bit float.")
    return value


def _reject_constant(name: str) -> NoReturn:
    raise MalformedBody(f"{name} is not JSON.")


def split_array(body: bytes) -> list[bytes]:
    """Return the items of a JSON array, each with the bytes that were sent.

    The caller has parsed `body`, so it is JSON within all limits. Raise MalformedBody
    if it is not an array of objects, or has more than 4,000 items.
    """
    text = body.decode("utf-8-sig")
    items: list[bytes] = []
    place = _skip_whitespace(text, 0)
    if text[place : place + 1] != "[":
        raise MalformedBody("A batch must be a JSON array.")
    place = _skip_whitespace(text, place + 1)
    while text[place] != "]":
        if len(items) == MAX_ITEMS:
            raise MalformedBody(f"The batch has more than {MAX_ITEMS:,} items.")
        value, end = _scan(text, place)
        if not isinstance(value, dict):
            raise MalformedBody(f"Item {len(items)} of the batch is not an object.")
        items.append(text[place:end].encode())
        place = _skip_whitespace(text, end)
        if text[place] == ",":
            place = _skip_whitespace(text, place + 1)
    return items


def _skip_whitespace(text: str, place: int) -> int:
    match = _WHITESPACE.match(text, place)
    return match.end() if match else place
