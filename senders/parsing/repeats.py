"""Compares the bodies of deliveries that have one id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection

from senders.errors import MalformedBody
from senders.parsing.bodies import decode_body, parse_json
from senders.parsing.finding import resolve_pointer

_GZIP_MAGIC = b"\x1f\x8b"


def stable_digest(body: bytes, *, varying: Collection[tuple[str, ...]]) -> str:
    """Return a hash of a JSON body that ignores its formatting and some members.

    `varying` are the paths of these members, such as a counter of attempts. For a body
    that is not JSON it is the hash of the bytes. The body may be compressed by gzip.
    """
    try:
        plain = decode_body(body, "gzip" if body.startswith(_GZIP_MAGIC) else "")
        value = parse_json(plain)
        for path in varying:
            parent = resolve_pointer(value, path[:-1])
            if isinstance(parent, dict):
                parent.pop(path[-1], None)
        content = json.dumps(value, sort_keys=True).encode()
    except (MalformedBody, RecursionError):
        content = body
    return hashlib.sha256(content).hexdigest()
