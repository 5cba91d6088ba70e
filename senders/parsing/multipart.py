"""Reads `multipart/form-data` (RFC 7578). Files are measured, never opened.

Written out here because the parsers at hand guess: the standard library's reads
nested messages and decodes transfer encodings that this format does not have.
"""

from __future__ import annotations

from collections.abc import Iterator

from senders.parsing.content_types import parse_header
from senders.parsing.errors import MalformedBody
from senders.parsing.forms import collect

MAX_PARTS = 1000
MAX_PART_HEADER_BYTES = 2 * 1024
MAX_BOUNDARY_LENGTH = 70
DEFAULT_PART_TYPE = "text/plain"


def parse_multipart(body: bytes, boundary: str) -> dict[str, object]:
    """Return the fields as text, and of each file its name, content type and size."""
    return collect(_read_part(part) for part in _split_parts(body, boundary))


def _split_parts(body: bytes, boundary: str) -> Iterator[bytes]:
    delimiter = b"\r\n--" + _boundary_bytes(boundary)
    _, *segments = (b"\r\n" + body).split(delimiter, MAX_PARTS + 1)
    for number, segment in enumerate(segments):
        if segment.startswith(b"--"):
            return
        if number == MAX_PARTS:
            raise MalformedBody(f"The body has more than {MAX_PARTS} parts.")
        yield _after_delimiter(segment)
    raise MalformedBody("The last multipart boundary is missing.")


def _after_delimiter(segment: bytes) -> bytes:
    padding, line_end, part = segment.partition(b"\r\n")
    if padding.strip(b" \t") or not line_end:
        raise MalformedBody("A multipart boundary is not followed by a new line.")
    return part


def _boundary_bytes(boundary: str) -> bytes:
    if not boundary.isascii() or not 0 < len(boundary) <= MAX_BOUNDARY_LENGTH:
        raise MalformedBody("The content type names no usable multipart boundary.")
    return boundary.encode()


def _read_part(part: bytes) -> tuple[str, object]:
    head, content = _split_head(part)
    headers = dict(_read_headers(head))
    disposition, parameters = parse_header(headers.get("content-disposition", ""))
    if disposition != "form-data" or "name" not in parameters:
        raise MalformedBody("A part of the multipart body has no field name.")
    if "filename" not in parameters:
        return parameters["name"], content.decode("utf-8", "replace")
    content_type, _ = parse_header(headers.get("content-type", DEFAULT_PART_TYPE))
    metadata = {
        "name": parameters["filename"],
        "content_type": content_type,
        "size": len(content),
    }
    return parameters["name"], metadata


def _split_head(part: bytes) -> tuple[bytes, bytes]:
    end = part.find(b"\r\n\r\n", 0, MAX_PART_HEADER_BYTES)
    if end < 0:
        raise MalformedBody("A part of the multipart body has no readable head.")
    return part[:end], part[end + 4 :]


def _read_headers(head: bytes) -> Iterator[tuple[str, str]]:
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        yield name.strip().lower(), value.strip()
