from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping

from senders.definitions.schemes import Encoding


def decodings(encodings: tuple[Encoding, ...], text: bytes) -> Iterator[bytes]:
    """Yield what the text stands for in each of the encodings that it fits.

    Base64 must be canonical: padded, and without bits that stand for nothing. Hex may
    be in either case; base64url may be without its padding (RFC 7515).
    """
    for encoding in encodings:
        try:
            raw = _DECODERS[encoding](text)
        except binascii.Error:
            continue
        if raw:
            yield raw


def encode(encoding: Encoding, raw: bytes) -> str:
    return _ENCODERS[encoding](raw).decode()


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


_DECODERS: Mapping[Encoding, Callable[[bytes], bytes]] = {
    Encoding.HEX: binascii.unhexlify,
    Encoding.BASE64: _decode_base64,
    Encoding.BASE64URL: _decode_base64url,
}

_ENCODERS: Mapping[Encoding, Callable[[bytes], bytes]] = {
    Encoding.HEX: binascii.hexlify,
    Encoding.BASE64: base64.b64encode,
    Encoding.BASE64URL: base64.urlsafe_b64encode,
}
