"""Schemes in which sender and receiver know the same secret."""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Mapping, Sequence

import re2

from senders.definitions.schemes import (
    DigestScheme,
    Encoding,
    HashName,
    HashScheme,
    HeaderEntries,
    HmacScheme,
    TokenScheme,
)
from senders.errors import FailureReason, InvalidSignature
from senders.signatures.contents import read_timestamp, signed_contents
from senders.signatures.encodings import PLAIN, decode_signature, usable_keys
from senders.signatures.requests import RawRequest

AUTHORIZATION = HeaderEntries(headers=("Authorization",))
DIGEST_SIZES = {name: hashlib.new(name.value).digest_size for name in HashName}


def verify_digest(
    scheme: HmacScheme | HashScheme,
    request: RawRequest,
    *,
    secrets: Sequence[str],
    now: float | None,
) -> None:
    """Raise InvalidSignature unless one entry was made with one of the secrets.

    Everything that is cheap to check is checked before the body is hashed.
    """
    keys = digest_keys(scheme, secrets)
    candidates = _read_candidates(scheme, request)
    timestamp = read_timestamp(scheme.timestamp, request, now=now)
    for key in keys:
        for name, sent in candidates.items():
            made = digests(scheme, request, name=name, key=key, timestamp=timestamp)
            if any(hmac.compare_digest(one, other) for one in made for other in sent):
                return
    raise InvalidSignature(FailureReason.NO_MATCH, "The signature does not match.")


def digest_keys(scheme: HmacScheme | HashScheme, secrets: Sequence[str]) -> list[bytes]:
    secret_format = scheme.secret if isinstance(scheme, HmacScheme) else PLAIN
    return usable_keys(secret_format, secrets)


def digests(
    scheme: HmacScheme | HashScheme,
    request: RawRequest,
    *,
    name: HashName,
    key: bytes,
    timestamp: bytes,
) -> list[bytes]:
    """Return the hashes of the contents that may have been signed.

    Raise InvalidSignature if a part of the request that is signed is missing.
    """
    contents = signed_contents(scheme, request, timestamp=timestamp, secret=key)
    if isinstance(scheme, HashScheme):
        return [hashlib.new(name.value, content).digest() for content in contents]
    return [hmac.digest(key, content, name.value) for content in contents]


def _read_candidates(
    scheme: DigestScheme, request: RawRequest
) -> Mapping[HashName, list[bytes]]:
    """Return the well-formed signatures by their hash; raise if there is none."""
    candidates: defaultdict[HashName, list[bytes]] = defaultdict(list)
    for entry in request.entries(scheme.read_from):
        name = scheme.hash_of(entry.prefix)
        for raw in decode_signature(scheme.encodings, entry.value):
            if len(raw) == DIGEST_SIZES[name]:
                candidates[name].append(raw)
    if not candidates:
        detail = "No signature has the expected prefix, encoding and length."
        raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)
    return candidates


def verify_token(
    scheme: TokenScheme, request: RawRequest, *, secrets: Sequence[str]
) -> None:
    """Raise InvalidSignature unless the header or body field is one of the secrets."""
    keys = usable_keys(PLAIN, secrets)
    candidates = [entry.value for entry in request.entries(scheme.read_from)]
    _check_match(keys, candidates)


def verify_basic(request: RawRequest, *, secrets: Sequence[str]) -> None:
    """Raise InvalidSignature unless the user and password are one of the secrets."""
    keys = usable_keys(PLAIN, [text for text in secrets if is_user_password(text)])
    candidates: list[bytes] = []
    for entry in request.entries(AUTHORIZATION):
        kind, _, credentials = entry.value.partition(b" ")
        if kind.lower() == b"basic":
            candidates += decode_signature((Encoding.BASE64,), credentials.strip(b" "))
    if not candidates:
        detail = "The header Authorization has no Basic credentials."
        raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)
    _check_match(keys, candidates)


def is_sendable(scheme: TokenScheme, secret: str) -> bool:
    """Return whether the sender can store and send this token."""
    pattern = scheme.secret_pattern
    return not pattern or re2.fullmatch(pattern, secret) is not None


def is_user_password(secret: str) -> bool:
    """Return whether this is `user:password` with a password that is not empty."""
    return bool(secret.partition(":")[2])


def _check_match(keys: list[bytes], candidates: list[bytes]) -> None:
    matches = [hmac.compare_digest(key, sent) for key in keys for sent in candidates]
    if not any(matches):
        detail = "The secret in the request does not match."
        raise InvalidSignature(FailureReason.NO_MATCH, detail)
