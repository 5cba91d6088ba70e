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
from senders.errors import FailureReason, InvalidSignature
from senders.signatures.public_keys import verify_certificate, verify_public_key
from senders.signatures.requests import RawRequest
from senders.signatures.secrets import own_secrets
from senders.signatures.shared_secrets import verify_basic, verify_digest, verify_token

NO_CERTIFICATES: Mapping[str, str] = MappingProxyType({})

# If several schemes reject a request, the error of the one that got furthest is raised.
# These reasons come early, in this order; all others come later.
_PROGRESS = {
    FailureReason.NO_SECRET: 0,
    FailureReason.MISSING_HEADER: 1,
    FailureReason.MISSING_FIELD: 2,
    FailureReason.MALFORMED_HEADER: 3,
}


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

    An unknown type is verified as `generic`. `url` is the full public URL, `now` in
    seconds since the epoch, and `certificates` are PEM texts by the URL from which they
    were fetched. Raise CertificateUnknown if the signing certificate is not among them.
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
    """Raise InvalidSignature unless the scheme verifies; None accepts every request.

    The parameters are those of `verify_request`.
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
    errors: list[InvalidSignature] = []
    for each in scheme.of:
        own = own_secrets(scheme, each, secrets)
        try:
            _verify_single(each, request, own, certificates, now)
        except InvalidSignature as error:
            errors.append(error)
        else:
            return
    raise max(errors, key=lambda error: _PROGRESS.get(error.reason, len(_PROGRESS)))
