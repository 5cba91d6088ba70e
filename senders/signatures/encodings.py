"""Turns the texts of signatures and secrets into bytes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence

from senders.definitions.schemes import Encoding, SecretEncoding, SecretFormat
from senders.errors import FailureReason, InvalidSignature

# The format of secrets that are the key themselves, as UTF-8.
PLAIN = SecretFormat()


def decode_signature(encodings: tuple[Encoding, ...], text: bytes) -> Iterator[bytes]:
    """Yield the bytes that the text represents in each encoding that accepts it.

    Base64 must be canonical: padded, and with all unused bits zero. Hex may be in upper
    or lower case; base64url may omit its padding (RFC 7515).
    """
    for encoding in encodings:
        try:
            raw = _decode(encoding, text)
        except binascii.Error:
            continue
        if raw:
            yield raw


def _decode(encoding: Encoding, text: bytes) -> bytes:
    match encoding:
        case Encoding.HEX:
            return binascii.unhexlify(text)
        case Encoding.BASE64:
            raw = base64.b64decode(text, validate=True)
            canonical = base64.b64encode(raw)
        case Encoding.BASE64URL:
            padding = b"=" * (-len(text) % 4)
            raw = base64.b64decode(text + padding, altchars=b"-_")
            canonical = base64.urlsafe_b64encode(raw)
            if not text.endswith(b"="):
                canonical = canonical.rstrip(b"=")
    if text != canonical:
        raise binascii.Error("not canonical")
    return raw


def encode_signature(encoding: Encoding, raw: bytes) -> str:
    encoders: Mapping[Encoding, Callable[[bytes], bytes]] = {
        Encoding.HEX: binascii.hexlify,
        Encoding.BASE64: base64.b64encode,
        Encoding.BASE64URL: base64.urlsafe_b64encode,
    }
    return encoders[encoding](raw).decode()


def usable_keys(secret_format: SecretFormat, secrets: Sequence[str]) -> list[bytes]:
    """Return the keys of those secrets that are valid.

    Raise InvalidSignature if there is none: with an empty key anyone could sign.
    """
    keys = [decode_secret(secret_format, secret) for secret in secrets]
    usable = [key for key in keys if key]
    if not usable:
        raise no_secret()
    return usable


def no_secret() -> InvalidSignature:
    detail = "No valid secret is set for this endpoint."
    return InvalidSignature(FailureReason.NO_SECRET, detail)


def decode_secret(secret_format: SecretFormat, secret: str) -> bytes:
    """Return the bytes of the key, empty if the secret does not have this format."""
    if secret_format.prefix_required and not secret.startswith(secret_format.prefix):
        return b""
    text = secret.removeprefix(secret_format.prefix)
    try:
        match secret_format.encoding:
            case SecretEncoding.UTF8 | SecretEncoding.PEM:
                return text.encode()
            case SecretEncoding.HEX:
                return binascii.unhexlify(text)
            case SecretEncoding.BASE64:
                padding = "=" * (-len(text) % 4)  # many dashboards omit it
                return base64.b64decode(text + padding, validate=True)
    except ValueError:
        return b""
