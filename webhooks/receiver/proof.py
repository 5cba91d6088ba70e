"""How a request proves who sent it: by its signature, and by the endpoint's login."""

from __future__ import annotations

import time
from collections.abc import Sequence

from senders.definitions.schemes import SignatureScheme
from senders.signatures import verify
from senders.signatures.verification import NOTHING_FETCHED, Fetched
from webhooks.endpoints.secrets import live_secrets
from webhooks.receiver.request import WebhookRequest


def needs_signature(request: WebhookRequest) -> bool:
    """Return whether the sender must sign, because of a secret or of the type."""
    definition = request.definition
    return definition.signature is not None and (
        bool(request.endpoint.secrets) or definition.signature_required
    )


def needs_proof(request: WebhookRequest) -> bool:
    """Return whether a request must prove who sent it."""
    return needs_signature(request) or request.auth is not None


def verify_sender(
    request: WebhookRequest, *, fetched: Fetched = NOTHING_FETCHED
) -> None:
    """Raise InvalidSignature unless the request has all proofs that it needs."""
    now = time.time()
    if (auth := request.auth) is not None:
        _verify(request, auth.scheme, [auth.value], now=now)
    if needs_signature(request):
        scheme = request.definition.signature
        secrets = live_secrets(request.endpoint)
        if request.throw_away_secret:
            secrets = [request.throw_away_secret]
        _verify(request, scheme, secrets, now=now, fetched=fetched)


def _verify(
    request: WebhookRequest,
    scheme: SignatureScheme | None,
    secrets: Sequence[str],
    *,
    now: float,
    fetched: Fetched = NOTHING_FETCHED,
) -> None:
    verify(
        scheme,
        secrets=secrets,
        method=request.method,
        url=request.url,
        headers=request.headers,
        body=request.body,
        now=now,
        fetched=fetched,
    )
