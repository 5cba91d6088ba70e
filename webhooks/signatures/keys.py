from __future__ import annotations

import base64
import binascii
import secrets as random_source
from collections.abc import Callable, Mapping, Sequence

from webhooks.definitions.schemes import (
    HmacScheme,
    SecretEncoding,
    SecretFormat,
    SignatureScheme,
)
from webhooks.signatures.errors import Cause, InvalidSignature

NEW_KEY_BYTES = 32
PLAIN = SecretFormat()


def usable_keys(secret_format: SecretFormat, secrets: Sequence[str]) -> list[bytes]:
    """Return the keys that the secrets stand for, leaving out what is none.

    Raise InvalidSignature if nothing is left: an empty key would let anyone sign.
    """
    keys = [_decode(secret_format, secret) for secret in secrets]
    usable = [key for key in keys if key]
    if not usable:
        raise InvalidSignature(Cause.NO_SECRET, "No secret is set for this endpoint.")
    return usable


def is_usable_secret(scheme: SignatureScheme, secret: str) -> bool:
    """Tell whether the scheme can make a key of this secret."""
    return bool(_decode(_format_of(scheme), secret))


def new_secret(scheme: SignatureScheme) -> str:
    """Return a random secret in the form in which the sender expects it."""
    secret_format = _format_of(scheme)
    key = random_source.token_bytes(NEW_KEY_BYTES)
    if secret_format.encoding is SecretEncoding.BASE64:
        return secret_format.prefix + base64.b64encode(key).decode()
    return secret_format.prefix + key.hex()


def _format_of(scheme: SignatureScheme) -> SecretFormat:
    return scheme.secret if isinstance(scheme, HmacScheme) else PLAIN


def _decode(secret_format: SecretFormat, secret: str) -> bytes:
    """Return the key's bytes, empty if the secret is not one."""
    text = secret.removeprefix(secret_format.prefix)
    try:
        return _DECODERS[secret_format.encoding](text)
    except ValueError:
        return b""


def _decode_base64(text: str) -> bytes:
    padding = "=" * (-len(text) % 4)  # many dashboards show secrets without it
    return base64.b64decode(text + padding, validate=True)


_DECODERS: Mapping[SecretEncoding, Callable[[str], bytes]] = {
    SecretEncoding.UTF8: str.encode,
    SecretEncoding.BASE64: _decode_base64,
    SecretEncoding.HEX: binascii.unhexlify,
}
