"""Reads URL-encoded and multipart forms, and headers with parameters.

Multipart bodies (RFC 7578) are parsed here because the available parsers guess: the
standard library's parser reads nested messages and decodes transfer encodings that this
format does not have. The content of files is measured, but never stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl

from senders.errors import MalformedBody

MAX_FIELDS = 1000
# Each `%41` is decoded separately; 25 MB of them would occupy a thread for seconds.
MAX_ESCAPES = 1_000_000
UTF8_NAMES = frozenset({"", "utf-8", "utf8", "us-ascii"})

MAX_PARTS = 1000
MAX_PART_HEADER_BYTES = 2 * 1024
MAX_BOUNDARY_LENGTH = 70
DEFAULT_PART_TYPE = "text/plain"


def parse_form(body: bytes, charset: str) -> dict[str, object]:
    """Return the fields of a URL-encoded form; a repeated field becomes a list.

    The sender's charset is only compared, never looked up: Python knows charsets such
    as `zlib` and `hex`. Every charset other than UTF-8 is read as Latin-1.
    """
    check_escapes(body)
    encoding = "utf-8" if is_utf8(charset) else "latin-1"
    try:
        pairs = parse_qsl(
            body.decode(encoding, "replace"),
            keep_blank_values=True,
            encoding=encoding,
            errors="replace",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        detail = f"The form has more than {MAX_FIELDS} fields."
        raise MalformedBody(detail) from error
    return collect(pairs)


def is_utf8(charset: str) -> bool:
    """Return whether a charset of a content type means UTF-8, as a missing one does."""
    return charset.strip().lower() in UTF8_NAMES


def check_escapes(body: bytes) -> None:
    """Raise MalformedBody if decoding the form would take too long."""
    if body.count(b"%") > MAX_ESCAPES:
        detail = f"The form has more than {MAX_ESCAPES:,} percent-encoded bytes."
        raise MalformedBody(detail)


def collect(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Group fields by name; a repeated field becomes a list of its values."""
    gathered: dict[str, list[object]] = {}
    for name, value in pairs:
        gathered.setdefault(name, []).append(value)
    return {
        name: values[0] if len(values) == 1 else values
        for name, values in gathered.items()
    }


def parse_multipart(body: bytes, boundary: str) -> dict[str, object]:
    """Return the fields as text; for files their name, content type and size."""
    return collect(_read_part(part) for part in _split_parts(body, boundary))


def _split_parts(body: bytes, boundary: str) -> Iterator[bytes]:
    if not boundary.isascii() or not 0 < len(boundary) <= MAX_BOUNDARY_LENGTH:
        raise MalformedBody("The content type has no valid multipart boundary.")
    delimiter = b"\r\n--" + boundary.encode()
    _, *segments = (b"\r\n" + body).split(delimiter, MAX_PARTS + 1)
    for number, segment in enumerate(segments):
        if segment.startswith(b"--"):
            return
        if number == MAX_PARTS:
            raise MalformedBody(f"The body has more than {MAX_PARTS} parts.")
        padding, line_end, part = segment.partition(b"\r\n")
        if padding.strip(b" \t") or not line_end:
            raise MalformedBody("A multipart boundary is not followed by a new line.")
        yield part
    raise MalformedBody("The last multipart boundary is missing.")


def _read_part(part: bytes) -> tuple[str, object]:
    end = part.find(b"\r\n\r\n", 0, MAX_PART_HEADER_BYTES)
    if end < 0:
        detail = (
            "A part of the multipart body has no headers, "
            f"or more than {MAX_PART_HEADER_BYTES:,} bytes of them."
        )
        raise MalformedBody(detail)
    headers: dict[str, str] = {}
    for line in part[:end].decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    content = part[end + 4 :]
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


def parse_header(value: str) -> tuple[str, dict[str, str]]:
    """Split `text/plain; charset="utf-8"` into its lower-case value and parameters.

    Never raises. The first of a list of values counts, and the first of a repeated
    parameter.
    """
    first, *rest = _split_outside_quotes(value)
    parameters: dict[str, str] = {}
    for piece in rest:
        name, _, text = piece.partition("=")
        text = text.strip()
        if len(text) >= 2 and text.startswith('"') and text.endswith('"'):
            text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        parameters.setdefault(name.strip().lower(), text)
    return first.partition(",")[0].strip().lower(), parameters


def _split_outside_quotes(value: str) -> Iterator[str]:
    start, quoted, escaped = 0, False, False
    for index, character in enumerate(value):
        if escaped:
            escaped = False
        elif character == "\\" and quoted:
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            yield value[start:index]
            start = index + 1
    yield value[start:]
