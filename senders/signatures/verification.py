from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from senders.definitions import resolve
from senders.definitions.schemes import (
    AnyScheme,
    BasicScheme,
    CertificateScheme,
    HashScheme,
    HmacScheme,
    PublicKeyScheme,
    SignatureScheme,
    SingleScheme,
    TokenScheme,
)
from senders.signatures.certificate_scheme import verify_certificate
from senders.signatures.digest_scheme import verify_digest
from senders.signatures.errors import Cause, InvalidSignature
from senders.signatures.public_key_scheme import verify_public_key
from senders.signatures.requests import RawRequest
from senders.signatures.secret_forms import own_secrets
from senders.signatures.token_scheme import verify_basic, verify_token

NO_CERTIFICATES: Mapping[str, str] = MappingProxyType({})

# Of several schemes that refuse, the one that read furthest tells why.
_READ_LEAST = (
    Cause.NO_SECRET,
    Cause.MISSING_HEADER,
    Cause.MISSING_FIELD,
    Cause.MALFORMED_HEADER,
)


def verify_request(
    type_slug: str,
    *,
    secrets: Sequence[str],
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: float | None,
    certificates: Mapping[str, str] = NO_CERTIFICATES,
) -> None:
    """Raise InvalidSignature unless the sender signed this request.

    An unknown type is verified as `generic`. `now` is in seconds since the epoch,
    `url` the full public URL.
    """
    verify(
        resolve(type_slug).signature,
        secrets=secrets,
        method=method,
        url=url,
        headers=headers,
        body=body,
        now=now,
        certificates=certificates,
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
    certificates: Mapping[str, str] = NO_CERTIFICATES,
) -> None:
    """Raise InvalidSignature unless the request fits the scheme; None fits all.

    `certificates` are PEM texts by the URL that they were fetched from.
    """
    if scheme is None:
        return
    request = RawRequest.of(method=method, url=url, headers=headers, body=body)
    if isinstance(scheme, AnyScheme):
        _verify_any(scheme, request, secrets, certificates, now)
    else:
        _verify_single(scheme, request, secrets, certificates, now)


def _verify_single(
    scheme: SingleScheme,
    request: RawRequest,
    secrets: Sequence[str],
    certificates: Mapping[str, str],
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
            verify_certificate(
                scheme, request, secrets=secrets, certificates=certificates, now=now
            )


def _verify_any(
    scheme: AnyScheme,
    request: RawRequest,
    secrets: Sequence[str],
    certificates: Mapping[str, str],
    now: float | None,
) -> None:
    refusals: list[InvalidSignature] = []
    for each in scheme.of:
        own = own_secrets(scheme, each, secrets)
        try:
            _verify_single(each, request, own, certificates, now)
        except InvalidSignature as refusal:
            refusals.append(refusal)
        else:
            return
    raise max(refusals, key=_how_far)


def _how_far(refusal: InvalidSignature) -> int:
    if refusal.cause in _READ_LEAST:
        return _READ_LEAST.index(refusal.cause)
    return len(_READ_LEAST)
