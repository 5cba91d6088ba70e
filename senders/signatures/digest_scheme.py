from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Mapping, Sequence

from senders.definitions.schemes import DigestScheme, HashName, HashScheme, HmacScheme
from senders.signatures.contents import signed_contents
from senders.signatures.encodings import decodings
from senders.signatures.errors import Cause, InvalidSignature
from senders.signatures.keys import PLAIN, usable_keys
from senders.signatures.requests import RawRequest
from senders.signatures.timestamps import read_timestamp

DIGEST_SIZES = {name: hashlib.new(name.value).digest_size for name in HashName}


def verify_digest(
    scheme: HmacScheme | HashScheme,
    request: RawRequest,
    *,
    secrets: Sequence[str],
    now: float | None,
) -> None:
    """Raise InvalidSignature unless one entry was made with one of the secrets.

    What is cheap to refuse is refused before the body is hashed.
    """
    keys = digest_keys(scheme, secrets)
    candidates = _read_candidates(scheme, request)
    timestamp = read_timestamp(scheme.timestamp, request, now=now)
    for key in keys:
        for name, sent in candidates.items():
            made = digests(scheme, request, name=name, key=key, timestamp=timestamp)
            if any(hmac.compare_digest(one, other) for one in made for other in sent):
                return
    raise InvalidSignature(Cause.NO_MATCH, "The signature does not match.")


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
    """Return the hashes of what may have been signed.

    Raise InvalidSignature if something that is signed is missing.
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
        for raw in decodings(scheme.encodings, entry.value):
            if len(raw) == DIGEST_SIZES[name]:
                candidates[name].append(raw)
    if not candidates:
        detail = "There is no signature of the expected form."
        raise InvalidSignature(Cause.MALFORMED_HEADER, detail)
    return candidates
