from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence

from senders.definitions.schemes import SecretEncoding, SecretFormat
from senders.signatures.errors import Cause, InvalidSignature

PLAIN = SecretFormat()


def usable_keys(secret_format: SecretFormat, secrets: Sequence[str]) -> list[bytes]:
    """Return the keys that the secrets stand for, leaving out what is none.

    Raise InvalidSignature if nothing is left: an empty key would let anyone sign.
    """
    keys = [decode_secret(secret_format, secret) for secret in secrets]
    usable = [key for key in keys if key]
    if not usable:
        raise no_secret()
    return usable


def no_secret() -> InvalidSignature:
    return InvalidSignature(Cause.NO_SECRET, "No secret is set for this endpoint.")


def decode_secret(secret_format: SecretFormat, secret: str) -> bytes:
    """Return the key's bytes, empty if the secret is not one."""
    if secret_format.prefix_required and not secret.startswith(secret_format.prefix):
        return b""
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
    SecretEncoding.PEM: str.encode,
}
