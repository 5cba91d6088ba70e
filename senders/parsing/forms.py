from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

from senders.parsing.errors import MalformedBody

MAX_FIELDS = 1000
# Each `%41` is decoded by itself; 25 MB of them would hold a thread for seconds.
MAX_ESCAPES = 1_000_000
UTF8_NAMES = frozenset({"", "utf-8", "utf8", "us-ascii"})


def parse_form(body: bytes, charset: str) -> dict[str, object]:
    """Return the fields of a URL-encoded form; a repeated one becomes a list.

    The sender's charset is only compared, never looked up: Python knows charsets
    such as `zlib` and `hex`. What is not UTF-8 is read as Latin-1.
    """
    check_escapes(body)
    encoding = "utf-8" if charset.strip().lower() in UTF8_NAMES else "latin-1"
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


def check_escapes(body: bytes) -> None:
    """Raise MalformedBody if a form would cost too much to decode."""
    if body.count(b"%") > MAX_ESCAPES:
        detail = f"The form has more than {MAX_ESCAPES:,} percent-encoded bytes."
        raise MalformedBody(detail)


def collect(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Gather fields by name; the values of a repeated one become a list."""
    gathered: dict[str, list[object]] = {}
    for name, value in pairs:
        gathered.setdefault(name, []).append(value)
    return {
        name: values[0] if len(values) == 1 else values
        for name, values in gathered.items()
    }
