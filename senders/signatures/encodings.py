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
            raw = _SIGNATURE_DECODERS[encoding](text)
        except binascii.Error:
            continue
        if raw:
            yield raw


def encode_signature(encoding: Encoding, raw: bytes) -> str:
    return _SIGNATURE_ENCODERS[encoding](raw).decode()


def _decode_base64(text: bytes) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw) != text:
        raise binascii.Error("not canonical")
    return raw


def _decode_base64url(text: bytes) -> bytes:
    raw = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_")
    canonical = base64.urlsafe_b64encode(raw)
    if text not in (canonical, canonical.rstrip(b"=")):
        raise binascii.Error("not canonical")
    return raw


_SIGNATURE_DECODERS: Mapping[Encoding, Callable[[bytes], bytes]] = {
    Encoding.HEX: binascii.unhexlify,
    Encoding.BASE64: _decode_base64,
    Encoding.BASE64URL: _decode_base64url,
}

_SIGNATURE_ENCODERS: Mapping[Encoding, Callable[[bytes], bytes]] = {
    Encoding.HEX: binascii.hexlify,
    Encoding.BASE64: base64.b64encode,
    Encoding.BASE64URL: base64.urlsafe_b64encode,
}


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
        return _SECRET_DECODERS[secret_format.encoding](text)
    except ValueError:
        return b""


def _decode_base64_secret(text: str) -> bytes:
    padding = "=" * (-len(text) % 4)  # many dashboards show secrets without it
    return base64.b64decode(text + padding, validate=True)


_SECRET_DECODERS: Mapping[SecretEncoding, Callable[[str], bytes]] = {
    SecretEncoding.UTF8: str.encode,
    SecretEncoding.BASE64: _decode_base64_secret,
    SecretEncoding.HEX: binascii.unhexlify,
    SecretEncoding.PEM: str.encode,
}
