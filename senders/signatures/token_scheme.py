from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence

import re2

from senders.definitions.schemes import Encoding, HeaderEntries, TokenScheme
from senders.signatures.encodings import decodings
from senders.signatures.errors import Cause, InvalidSignature
from senders.signatures.keys import PLAIN, usable_keys
from senders.signatures.requests import RawRequest

AUTHORIZATION = HeaderEntries(headers=("Authorization",))


def verify_token(
    scheme: TokenScheme, request: RawRequest, *, secrets: Sequence[str]
) -> None:
    """Raise InvalidSignature unless header or body holds one of the secrets."""
    keys = usable_keys(PLAIN, secrets)
    candidates = [entry.value for entry in request.entries(scheme.read_from)]
    _check_match(keys, candidates)


def verify_basic(request: RawRequest, *, secrets: Sequence[str]) -> None:
    """Raise InvalidSignature unless the user and password are one of the secrets."""
    keys = usable_keys(PLAIN, [text for text in secrets if is_user_password(text)])
    candidates = [
        credentials
        for entry in request.entries(AUTHORIZATION)
        for credentials in _credentials(entry.value)
    ]
    if not candidates:
        detail = "Authorization holds no Basic credentials."
        raise InvalidSignature(Cause.MALFORMED_HEADER, detail)
    _check_match(keys, candidates)


def is_sendable(scheme: TokenScheme, secret: str) -> bool:
    """Tell whether the sender can be given this token, a text that UTF-8 can hold."""
    pattern = scheme.secret_pattern
    return not pattern or re2.fullmatch(pattern, secret) is not None


def is_user_password(secret: str) -> bool:
    """Tell whether this is `user:password`; an empty password would protect nothing."""
    return bool(secret.partition(":")[2])


def _credentials(value: bytes) -> Iterator[bytes]:
    kind, _, text = value.partition(b" ")
    if kind.lower() == b"basic":
        yield from decodings((Encoding.BASE64,), text.strip(b" "))


def _check_match(keys: list[bytes], candidates: list[bytes]) -> None:
    matches = [hmac.compare_digest(key, sent) for key in keys for sent in candidates]
    if not any(matches):
        raise InvalidSignature(Cause.NO_MATCH, "The secret that was sent is another.")
