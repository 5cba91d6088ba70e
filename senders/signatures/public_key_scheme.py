from __future__ import annotations

from collections.abc import Sequence

from senders.definitions.schemes import PublicKeyScheme, SignedScheme
from senders.signatures.contents import signed_contents
from senders.signatures.encodings import decodings
from senders.signatures.errors import Cause, InvalidSignature
from senders.signatures.keys import no_secret
from senders.signatures.public_keys import is_signed, load_public_key
from senders.signatures.requests import RawRequest
from senders.signatures.timestamps import read_timestamp


def verify_public_key(
    scheme: PublicKeyScheme,
    request: RawRequest,
    *,
    secrets: Sequence[str],
    now: float | None,
) -> None:
    """Raise InvalidSignature unless the owner of one of the public keys signed."""
    keys = [key for text in secrets if (key := load_public_key(scheme, text))]
    if not keys:
        raise no_secret()
    signatures = read_signatures(scheme, request)
    timestamp = read_timestamp(scheme.timestamp, request, now=now)
    contents = signed_contents(scheme, request, timestamp=timestamp)
    if not any(
        is_signed(key, signature=signature, content=content)
        for key in keys
        for content in contents
        for signature in signatures
    ):
        raise InvalidSignature(Cause.NO_MATCH, "The signature does not match.")


def read_signatures(scheme: SignedScheme, request: RawRequest) -> list[bytes]:
    """Return the decoded signatures of a request; raise if there is none."""
    signatures = [
        raw
        for entry in request.entries(scheme.read_from)
        for raw in decodings(scheme.encodings, entry.value)
    ]
    if not signatures:
        detail = "There is no signature of the expected form."
        raise InvalidSignature(Cause.MALFORMED_HEADER, detail)
    return signatures
