"""Checks whether a text is a valid secret of a scheme, and makes new secrets."""

from __future__ import annotations

import base64
import secrets as random_source
from collections.abc import Sequence

import re2

from common.errors import InvalidInput
from senders.definitions.schemes import (
    PLAIN,
    AnyScheme,
    BasicScheme,
    CertificateScheme,
    HashScheme,
    HmacScheme,
    JwtScheme,
    PublicKeyScheme,
    SecretEncoding,
    SecretFormat,
    SignatureScheme,
    SingleScheme,
    TokenScheme,
)
from senders.signatures.public_keys import load_certificate, load_public_key

NEW_KEY_BYTES = 32
NEW_USER = "tickhook"


class SecretComesFromSender(InvalidInput):
    """The sender makes this key: copy it from the sender's settings."""

    code = "secret_comes_from_sender"


def is_usable_secret(scheme: SignatureScheme, secret: str) -> bool:
    """Return whether this secret has the form that the scheme requires."""
    match scheme:
        case HmacScheme():
            return bool(scheme.secret.key_of(secret))
        case HashScheme():
            return bool(PLAIN.key_of(secret))
        case TokenScheme():
            return bool(PLAIN.key_of(secret)) and is_sendable(scheme, secret)
        case BasicScheme():
            return is_user_password(secret) and bool(PLAIN.key_of(secret))
        case PublicKeyScheme():
            return load_public_key(scheme, secret) is not None
        case JwtScheme():
            return scheme.expected(secret) is not None
        case CertificateScheme():
            return load_certificate(secret) is not None
        case AnyScheme():
            return any(
                is_usable_secret(each, secret)
                for each in scheme.of
                if own_secrets(scheme, each, [secret])
            )


def is_sendable(scheme: TokenScheme, secret: str) -> bool:
    """Return whether the sender can store and send this token."""
    pattern = scheme.secret_pattern
    return not pattern or re2.fullmatch(pattern, secret) is not None


def is_user_password(secret: str) -> bool:
    """Return whether this is `user:password` with a password that is not empty."""
    return bool(secret.partition(":")[2])


def own_secrets(
    scheme: AnyScheme, one: SingleScheme, secrets: Sequence[str]
) -> list[str]:
    """Return the secrets that count for one of several schemes.

    A secret with a prefix that another scheme requires belongs to that scheme only.
    """
    others = [
        each.secret.prefix
        for each in scheme.of
        if each is not one
        and isinstance(each, HmacScheme | PublicKeyScheme)
        and each.secret.prefix_required
        and each.secret.prefix
    ]
    return [text for text in secrets if not text.startswith(tuple(others))]


def new_secret(scheme: SignatureScheme) -> str:
    """Return a random secret in the form that the sender expects.

    Raise SecretComesFromSender if only the sender can make one.
    """
    match scheme:
        case AnyScheme():
            return new_secret(scheme.of[0])
        case PublicKeyScheme() | CertificateScheme():
            raise SecretComesFromSender
        case BasicScheme():
            return f"{NEW_USER}:{_random_text(PLAIN)}"
        case HmacScheme():
            return _random_text(scheme.secret)
        case HashScheme() | TokenScheme() | JwtScheme():
            return _random_text(PLAIN)


def _random_text(secret_format: SecretFormat) -> str:
    key = random_source.token_bytes(NEW_KEY_BYTES)
    if secret_format.encoding is SecretEncoding.BASE64:
        return secret_format.prefix + base64.b64encode(key).decode()
    return secret_format.prefix + key.hex()
