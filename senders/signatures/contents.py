"""What is signed: the bytes that a template or a hook makes of a request."""

from __future__ import annotations

import re

from senders.definitions.schemes import PartKind, SignedScheme, TemplatePart
from senders.signatures.hooks import hooks
from senders.signatures.requests import RawRequest

# HubSpot signs its URLs with these escapes decoded, and no others:
# https://developers.hubspot.com/docs/guides/apps/authentication/validating-requests
_DECODED = {
    f"%{ord(character):02X}".encode(): character.encode()
    for character in ":/?@!$'()*,;"
}
_ESCAPES = re.compile(b"|".join(_DECODED))


def signed_contents(
    scheme: SignedScheme, request: RawRequest, *, timestamp: bytes, secret: bytes = b""
) -> list[bytes]:
    """Return what may have been signed: one content of a template, or some of a hook.

    Raise InvalidSignature if something that is signed is missing.
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
