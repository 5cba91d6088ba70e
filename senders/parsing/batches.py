from __future__ import annotations

import json
import re

from senders.parsing.errors import MalformedBody

# SendGrid puts up to 768 KB of events into one array.
MAX_ITEMS = 4000
_WHITESPACE = re.compile(r"[ \t\n\r]*")
_scan = json.JSONDecoder().raw_decode


def split_array(body: bytes) -> list[bytes]:
    """Return the items of a JSON array, each byte for byte as it was sent.

    `body` has been parsed before: it is JSON within all limits. Raise MalformedBody if
    it is no array of objects, or one of more than 4,000.
    """
    text = body.decode("utf-8-sig")
    items: list[bytes] = []
    place = _skip(text, 0)
    if text[place : place + 1] != "[":
        raise MalformedBody("A batch must be a JSON array.")
    place = _skip(text, place + 1)
    while text[place] != "]":
        if len(items) == MAX_ITEMS:
            raise MalformedBody(f"The batch has more than {MAX_ITEMS:,} items.")
        value, end = _scan(text, place)
        if not isinstance(value, dict):
            raise MalformedBody(f"Item {len(items)} of the batch is no object.")
        items.append(text[place:end].encode())
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return items


def _skip(text: str, place: int) -> int:
    match = _WHITESPACE.match(text, place)
    return match.end() if match else place
