"""Verifies the signature of a request.

`verify` selects the function of the scheme. Those of schemes in which sender and
receiver know the same secret are here, those of public keys in
`senders.signatures.public_keys`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from senders.definitions import resolve
from senders.definitions.schemes import (
    PLAIN,
    AnyScheme,
    BasicScheme,
    CertificateScheme,
    DigestScheme,
    Encoding,
    HashName,
    HashScheme,
    HeaderEntries,
    HmacScheme,
    JwtScheme,
    PublicKeyScheme,
    SecretFormat,
    SignatureScheme,
    SingleScheme,
    TokenScheme,
)
from senders.errors import FailureReason, InvalidSignature, NoSecretSet
from senders.signatures.jwt import verify_jwt
from senders.signatures.public_keys import verify_certificate, verify_public_key
from senders.signatures.requests import (
    RawRequest,
    decode_signature,
    read_timestamp,
    signed_contents,
)
from senders.signatures.secrets import is_user_password, own_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Texts that workers fetched, by their URL: PEM certificates, and sets of keys."""

    certificates: Mapping[str, str] = field(default_factory=dict)
    key_sets: Mapping[str, str] = field(default_factory=dict)


NOTHING_FETCHED = Fetched()

# If several schemes reject a request, the error of the one that got furthest is raised.
# These reasons come early, in this order; all others come later.
_PROGRESS = {
    FailureReason.NO_SECRET: 0,
    FailureReason.MISSING_HEADER: 1,
    FailureReason.MISSING_FIELD: 2,
    FailureReason.MALFORMED_HEADER: 3,
}

AUTHORIZATION = HeaderEntries(headers=("Authorization",))
DIGEST_SIZES = {name: hashlib.new(name.value).digest_size for name in HashName}


def verify_request(
    type_slug: str,
    *,
    secrets: Sequence[str],
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: float | None,
    fetched: Fetched = NOTHING_FETCHED,
) -> None:
    """Raise InvalidSignature unless the sender signed this request.

    An unknown type is verified as `generic`. `url` is the full public URL and `now` in
    seconds since the epoch. Raise CertificateUnknown or KeysUnknown if what the sender
    signed with is not among the fetched.
    """
    verify(
        resolve(type_slug).signature,
        secrets=secrets,
        method=method,
        url=url,
        headers=headers,
        body=body,
        now=now,
        fetched=fetched,
    )


def verify(
    scheme: SignatureScheme | None,
    *,
    secrets: Sequence[str],
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: float | None,
    fetched: Fetched = NOTHING_FETCHED,
) -> None:
    """Raise InvalidSignature unless the scheme verifies; None accepts every request.

    The parameters are those of `verify_request`.
    """
    if scheme is None:
        return
    request = RawRequest.of(method=method, url=url, headers=headers, body=body)
    if isinstance(scheme, AnyScheme):
        _verify_any(scheme, request, secrets, fetched, now)
    else:
        _verify_single(scheme, request, secrets, fetched, now)


def _verify_single(
    scheme: SingleScheme,
    request: RawRequest,
    secrets: Sequence[str],
    fetched: Fetched,
    now: float | None,
) -> None:
    match scheme:
        case HmacScheme() | HashScheme():
            verify_digest(scheme, request, secrets=secrets, now=now)
        case TokenScheme():
            verify_token(scheme, request, secrets=secrets)
        case BasicScheme():
            verify_basic(request, secrets=secrets)
        case PublicKeyScheme():
            verify_public_key(scheme, request, secrets=secrets, now=now)
        case CertificateScheme():
            certificates = fetched.certificates
            verify_certificate(
                scheme, request, secrets=secrets, certificates=certificates, now=now
            )
        case JwtScheme():
            verify_jwt(
                scheme, request, secrets=secrets, key_sets=fetched.key_sets, now=now
            )


def _verify_any(
    scheme: AnyScheme,
    request: RawRequest,
    secrets: Sequence[str],
    fetched: Fetched,
    now: float | None,
) -> None:
    errors: list[InvalidSignature] = []
    for each in scheme.of:
        own = own_secrets(scheme, each, secrets)
        try:
            _verify_single(each, request, own, fetched, now)
        except InvalidSignature as error:
            errors.append(error)
        else:
            return
    raise max(errors, key=lambda error: _PROGRESS.get(error.reason, len(_PROGRESS)))


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
    return _usable_keys(secret_format, secrets)


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
    keys = _usable_keys(PLAIN, secrets)
    candidates = [entry.value for entry in request.entries(scheme.read_from)]
    _check_match(keys, candidates)


def verify_basic(request: RawRequest, *, secrets: Sequence[str]) -> None:
    """Raise InvalidSignature unless the user and password are one of the secrets."""
    keys = _usable_keys(PLAIN, [text for text in secrets if is_user_password(text)])
    candidates: list[bytes] = []
    for entry in request.entries(AUTHORIZATION):
        kind, _, credentials = entry.value.partition(b" ")
        if kind.lower() == b"basic":
            candidates += decode_signature((Encoding.BASE64,), credentials.strip(b" "))
    if not candidates:
        detail = "The header Authorization has no Basic credentials."
        raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)
    _check_match(keys, candidates)


def _check_match(keys: list[bytes], candidates: list[bytes]) -> None:
    matches = [hmac.compare_digest(key, sent) for key in keys for sent in candidates]
    if not any(matches):
        detail = "The secret in the request does not match."
        raise InvalidSignature(FailureReason.NO_MATCH, detail)


def _usable_keys(secret_format: SecretFormat, secrets: Sequence[str]) -> list[bytes]:
    """Return the keys of those secrets that are valid.

    Raise InvalidSignature if there is none: with an empty key anyone could sign.
    """
    keys = [secret_format.key_of(secret) for secret in secrets]
    usable = [key for key in keys if key]
    if not usable:
        raise NoSecretSet
    return usable
