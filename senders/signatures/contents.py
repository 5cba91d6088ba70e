"""The signed bytes: what a template or a hook makes of a request, and its timestamp."""

from __future__ import annotations

import re

from senders.definitions.schemes import (
    PartKind,
    SignedScheme,
    TemplatePart,
    TimestampRule,
    TimestampUnit,
)
from senders.errors import FailureReason, InvalidSignature
from senders.signatures.hooks import hooks
from senders.signatures.requests import RawRequest

MAX_DIGITS = 15
UNITS_PER_SECOND = {TimestampUnit.SECONDS: 1, TimestampUnit.MILLISECONDS: 1000}

# HubSpot decodes exactly these escapes of a URL before it signs:
# https://developers.hubspot.com/docs/guides/apps/authentication/validating-requests
_DECODED = {
    f"%{ord(character):02X}".encode(): character.encode()
    for character in ":/?@!$'()*,;"
}
_ESCAPES = re.compile(b"|".join(_DECODED))


def signed_contents(
    scheme: SignedScheme, request: RawRequest, *, timestamp: bytes, secret: bytes = b""
) -> list[bytes]:
    """Return the contents that may have been signed.

    A template makes one, a hook can make several. Raise InvalidSignature if a part of
    the request that is signed is missing.
    """
    if scheme.signed_by is not None:
        return hooks[scheme.signed_by](request)
    parts = [_part(part, request, timestamp, secret) for part in scheme.signed]
    return parts if len(parts) == 1 else [b"".join(parts)]


def _part(
    part: TemplatePart, request: RawRequest, timestamp: bytes, secret: bytes
) -> bytes:
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
            return _url(request)
        case PartKind.URL_DECODED:
            return _ESCAPES.sub(lambda match: _DECODED[match[0]], _url(request))
        case PartKind.SECRET:
            return secret
        case PartKind.HEADER:
            return request.header(part.text)
        case PartKind.JSON:
            return request.short_field(part.path)


def _url(request: RawRequest) -> bytes:
    return request.url.encode("utf-8", "surrogatepass")


def read_timestamp(
    rule: TimestampRule | None, request: RawRequest, *, now: float | None
) -> bytes:
    """Return the bytes of the signed timestamp, empty if the scheme has none.

    Raise InvalidSignature unless it is within the tolerance. A timestamp in the future
    is rejected as well: the request could be replayed for longer. If `now` is None,
    every timestamp with a tolerance is rejected.
    """
    if rule is None:
        return b""
    entries = request.entries(rule.read_from)
    timestamp = entries[0].value if len(entries) == 1 else b""
    if not timestamp.isdigit() or len(timestamp) > MAX_DIGITS:
        detail = "The timestamp is not exactly one whole number."
        raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)
    if rule.tolerance_seconds is not None:
        signed_at = int(timestamp) / UNITS_PER_SECOND[rule.unit]
        if now is None or abs(now - signed_at) > rule.tolerance_seconds:
            detail = (
                f"The timestamp differs from the current time by more than "
                f"{rule.tolerance_seconds} seconds."
            )
            raise InvalidSignature(FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE, detail)
    return timestamp


def write_timestamp(rule: TimestampRule, *, now: float) -> int:
    return int(now * UNITS_PER_SECOND[rule.unit])
