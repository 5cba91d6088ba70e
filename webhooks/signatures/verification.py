from __future__ import annotations

from collections.abc import Mapping, Sequence

from webhooks.definitions import resolve
from webhooks.definitions.schemes import HmacScheme, SignatureScheme, TokenScheme
from webhooks.signatures.hmac_scheme import verify_hmac
from webhooks.signatures.requests import RawRequest
from webhooks.signatures.token_scheme import verify_token


def verify_request(
    type_slug: str,
    *,
    secrets: Sequence[str],
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
) -> None:
    """Raise InvalidSignature unless the sender signed this request.

    An unknown type is verified as `generic`. `now` is in seconds since the epoch.
    """
    verify(
        resolve(type_slug).signature,
        secrets=secrets,
        method=method,
        url=url,
        headers=headers,
        body=body,
        now=now,
    )


def verify(
    scheme: SignatureScheme | None,
    *,
    secrets: Sequence[str],
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
) -> None:
    """Raise InvalidSignature unless the request fits the scheme; None fits all."""
    request = RawRequest.of(method=method, url=url, headers=headers, body=body)
    match scheme:
        case HmacScheme():
            verify_hmac(scheme, request, secrets=secrets, now=now)
        case TokenScheme():
            verify_token(scheme, request, secrets=secrets)
        case None:
            return
