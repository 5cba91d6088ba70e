from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence

from webhooks.definitions.schemes import (
    Encoding,
    HashName,
    HmacScheme,
    PartKind,
    TemplatePart,
)
from webhooks.signatures.errors import Cause, InvalidSignature
from webhooks.signatures.keys import usable_keys
from webhooks.signatures.requests import RawRequest
from webhooks.signatures.timestamps import read_timestamp


def verify_hmac(
    scheme: HmacScheme, request: RawRequest, *, secrets: Sequence[str], now: float
) -> None:
    """Raise InvalidSignature unless one entry was made with one of the secrets."""
    keys = usable_keys(scheme.secret, secrets)
    candidates = _read_candidates(scheme, request)
    timestamp = b""
    if scheme.timestamp is not None:
        timestamp = read_timestamp(scheme.timestamp, request, now=now)
    for key in keys:
        expected = digest(scheme, request, key=key, timestamp=timestamp)
        if any(hmac.compare_digest(expected, candidate) for candidate in candidates):
            return
    raise InvalidSignature(Cause.NO_MATCH, "The signature does not match.")


def digest(
    scheme: HmacScheme, request: RawRequest, *, key: bytes, timestamp: bytes
) -> bytes:
    """Return the keyed hash of what the scheme signs.

    Raise InvalidSignature if a header that is signed is missing.
    """
    mac = hmac.new(key, digestmod=scheme.hash.value)
    for part in scheme.signed:
        mac.update(_signed_bytes(part, request, timestamp))
    return mac.digest()


def _signed_bytes(part: TemplatePart, request: RawRequest, timestamp: bytes) -> bytes:
    match part.kind:
        case PartKind.TEXT:
            return part.text.encode()
        case PartKind.BODY:
            return request.body
        case PartKind.TIMESTAMP:
            return timestamp
        case PartKind.METHOD:
            return request.method.upper().encode("utf-8", "surrogatepass")
        case PartKind.URL:
            return request.url.encode("utf-8", "surrogatepass")
        case PartKind.HEADER:
            return request.header(part.text)


def _read_candidates(scheme: HmacScheme, request: RawRequest) -> list[bytes]:
    """Return the well-formed signatures of the request; raise if there is none."""
    entries = request.entries(scheme.read_from)
    decoded = [raw for entry in entries for raw in _decodings(scheme, entry)]
    size = _digest_size(scheme.hash)
    candidates = [raw for raw in decoded if len(raw) == size]
    if not candidates:
        names = " or ".join(scheme.read_from.headers)
        detail = f"{names} holds no signature of the expected form."
        raise InvalidSignature(Cause.MALFORMED_HEADER, detail)
    return candidates


def _decodings(scheme: HmacScheme, entry: bytes) -> Iterator[bytes]:
    for encoding in scheme.encodings:
        try:
            yield _DECODERS[encoding](entry)
        except binascii.Error:
            continue


def _digest_size(name: HashName) -> int:
    return hashlib.new(name.value).digest_size


def _decode_base64(entry: bytes) -> bytes:
    return base64.b64decode(entry, validate=True)


_DECODERS: Mapping[Encoding, Callable[[bytes], bytes]] = {
    Encoding.HEX: binascii.unhexlify,
    Encoding.BASE64: _decode_base64,
}
