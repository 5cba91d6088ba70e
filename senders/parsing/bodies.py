from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from senders.parsing.content_types import parse_header
from senders.parsing.errors import MalformedBody
from senders.parsing.forms import parse_form
from senders.parsing.json_values import parse_json
from senders.parsing.multipart import parse_multipart

JSON_TYPES = frozenset({"application/json", "text/json"})
XML_TYPES = frozenset({"application/xml", "text/xml"})
# Amazon SNS declares its JSON as text/plain, and some senders declare nothing.
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
    """What a body says. With `is_text`, numbers in it arrived as text."""

    value: object
    kind: BodyKind
    is_text: bool = False


def parse_body(
    body: bytes, content_type: str, *, form_json_field: str | None = None
) -> ParsedBody:
    """Read a body by its content type; raise MalformedBody and nothing else.

    `form_json_field` names the form field that, where it is sent, holds the whole
    payload as JSON. A body that is neither declared nor UTF-8 has no value.
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
        except MalformedBody:  # prose may begin with a bracket, too
            pass
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return ParsedBody(value=None, kind=BodyKind.BINARY)
    is_xml = name in XML_TYPES or name.endswith("+xml")
    kind = BodyKind.XML if is_xml else BodyKind.TEXT
    return ParsedBody(value=text, kind=kind, is_text=True)
