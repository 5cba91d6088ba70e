from __future__ import annotations

import zlib

from senders.parsing.errors import BodyExpandsTooFar, MalformedBody, UnknownEncoding

GZIP_NAMES = frozenset({"gzip", "x-gzip"})
PLAIN_NAMES = frozenset({"", "identity"})
MAX_DECODED_BYTES = 25 * 1024 * 1024
MAX_RATIO = 100
# Below this a body may expand as far as it likes: it costs next to nothing.
ALWAYS_DECODED_BYTES = 1024 * 1024
MAX_MEMBERS = 16
_GZIP_WINDOW = zlib.MAX_WBITS | 16


def decode_body(body: bytes, encoding: str) -> bytes:
    """Undo a Content-Encoding (RFC 9110): gzip or none.

    Raise UnknownEncoding, BodyExpandsTooFar for what grows beyond 25 MB or more than
    a hundredfold, and MalformedBody for what is not gzip.
    """
    name = encoding.strip().lower()
    if name in PLAIN_NAMES:
        return body
    if name not in GZIP_NAMES:
        raise UnknownEncoding
    return _gunzip(body)


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
            raise MalformedBody("The gzip body ends too early.")
        rest = member.unused_data
    raise MalformedBody(f"The gzip body has more than {MAX_MEMBERS} members.")
