"""Reads CloudEvents 1.0 over HTTP: their attributes, and whether two are the same.

In binary mode the attributes are `ce-` headers and the body is the data. In structured
mode the body is a JSON object with both; a batch is an array of such objects. See
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from urllib.parse import unquote_to_bytes

from common.errors import Fault
from senders.errors import MalformedBody
from senders.parsing.bodies import decode_body, parse_json
from senders.parsing.finding import Finder
from senders.parsing.forms import parse_header

CLOUDEVENTS = "cloudevents"
VERSION = "1.0"
REQUIRED = ("id", "source", "specversion", "type")
MAX_FAULTS = 20
_PREFIX = "ce-"
_STRUCTURED = "application/cloudevents"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_GZIP_MAGIC = b"\x1f\x8b"


def read_envelope(envelope: str, request: Finder) -> Finder:
    """Return the request with the attributes of a CloudEvent decoded.

    In structured mode `ce-` headers mean nothing, so they are removed. `envelope` is
    that of the webhook type; a request of another type is returned as it is.
    """
    if envelope != CLOUDEVENTS:
        return request
    headers = {n: v for n, v in request.headers.items() if not n.startswith(_PREFIX)}
    if not _is_structured(request):
        names = request.headers.keys() - headers.keys()
        headers |= {name: _decode(request.headers[name]) for name in names}
    return replace(request, headers=headers)


def find_event_faults(request: Finder, *, is_batch: bool) -> list[Fault]:
    """Return which required attributes are missing or not valid, at most 20 faults.

    `request` is decoded by `read_envelope`. In a batch every item is checked.
    """
    if is_batch and isinstance(request.body, list):
        faults: Iterator[Fault] = (
            fault
            for index, item in enumerate(request.body)
            for fault in _find_object_faults(item, f"/body/{index}")
        )
    elif _is_structured(request):
        faults = _find_object_faults(request.body, "/body")
    else:
        faults = _find_header_faults(request)
    return list(islice(faults, MAX_FAULTS))


def data_of(body: bytes) -> bytes:
    """Return the data of a stored body of either mode, in one form for comparisons.

    The formatting of JSON does not count; data that is empty, null or missing is the
    same. The body may be compressed by gzip.
    """
    try:
        plain = decode_body(body, "gzip" if body.startswith(_GZIP_MAGIC) else "")
        return _canonical(_data_in(plain))
    except (MalformedBody, RecursionError, ValueError):
        return body


def _data_in(body: bytes) -> object:
    """Return the data of a structured event, or a body that is the data."""
    try:
        event = parse_json(body)
    except MalformedBody:
        return body
    if not isinstance(event, dict) or any(name not in event for name in REQUIRED):
        return body
    if isinstance(encoded := event.get("data_base64"), str):
        return base64.b64decode(encoded, validate=True)
    return event.get("data")


def _is_structured(request: Finder) -> bool:
    """Return whether the body is an event, or a batch of them.

    The content type decides. Many senders declare an event as plain JSON: it is read as
    one if no header is an attribute.
    """
    content_type, _ = parse_header(request.headers.get("content-type", ""))
    if content_type.startswith(_STRUCTURED):
        return True
    in_headers = any(name.startswith(_PREFIX) for name in request.headers)
    body = request.body
    return not in_headers and isinstance(body, dict) and "specversion" in body


def _decode(value: str) -> str:
    """Decode a header: quoted or not, then percent-encoded UTF-8."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    raw = unquote_to_bytes(value.encode("latin-1", "replace"))
    return raw.decode("utf-8", "replace")


def _find_header_faults(request: Finder) -> Iterator[Fault]:
    headers = {
        name: request.headers[_PREFIX + name]
        for name in REQUIRED
        if _PREFIX + name in request.headers
    }
    if not headers:
        detail = (
            "This is not a CloudEvent. Send id, source, specversion and type as the "
            "headers ce-id, ce-source, ce-specversion and ce-type, or the event as "
            "application/cloudevents+json or application/cloudevents-batch+json"
        )
        yield Fault("/headers", detail)
        return
    for name in REQUIRED:
        if detail := _attribute_fault(name, headers.get(name)):
            yield Fault(f"/headers/{_PREFIX}{name}", detail)


def _find_object_faults(event: object, pointer: str) -> Iterator[Fault]:
    if not isinstance(event, dict):
        detail = "Must be a JSON object with id, source, specversion and type"
        yield Fault(pointer, detail)
        return
    for name in REQUIRED:
        if detail := _attribute_fault(name, event.get(name)):
            yield Fault(f"{pointer}/{name}", detail)


def _attribute_fault(name: str, value: object) -> str:
    if value is None:
        return "Is missing: CloudEvents requires id, source, specversion and type"
    if not isinstance(value, str) or not value.strip():
        return "Must be a text that is not empty"
    if _CONTROL.search(value):
        return "Must not contain control characters"
    if name == "specversion" and value != VERSION:
        return f"Must be {VERSION}: other versions of CloudEvents are not read"
    return ""


def _canonical(data: object) -> bytes:
    """Return data as bytes that are equal for equal data; texts may hold JSON."""
    if data is None:
        return b""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    if not isinstance(data, bytes):
        return json.dumps(data, sort_keys=True).encode()
    try:
        value = parse_json(data)
    except MalformedBody:
        return data
    return _canonical(value)
