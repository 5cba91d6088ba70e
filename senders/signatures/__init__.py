"""Verifies and makes the signatures of senders. Uses no framework.

A receiver of webhooks needs two names, `verify_request` and `InvalidSignature`:

    from senders.signatures import InvalidSignature, verify_request

    try:
        verify_request(
            "github",
            secrets=["the webhook's secret"],
            method="POST",
            url="https://example.com/webhooks/github",
            headers={"X-Hub-Signature-256": "sha256=5257a8…"},
            body=b'{"zen": "Keep it logically awesome."}',
            now=time.time(),
        )
    except InvalidSignature as error:
        ...  # answer 401; `error.reason` and `error.detail` say why

Several secrets can be valid at once, for example while a secret is rotated. The first
argument is the slug of a file in `senders/types`. `verify` takes the scheme of a
definition instead, `sign` and `sign_request` make signatures, and `new_secret` makes a
secret.
"""

from __future__ import annotations

from senders.errors import CertificateUnknown, FailureReason, InvalidSignature
from senders.signatures import hooks as hooks  # registers itself
from senders.signatures.requests import RawRequest
from senders.signatures.secrets import (
    SecretComesFromSender,
    is_usable_secret,
    new_secret,
)
from senders.signatures.signing import (
    OnlyTheSenderSigns,
    SignedRequest,
    sends_secret,
    sign,
    sign_for,
    sign_request,
)
from senders.signatures.verification import verify, verify_request

__all__ = [
    "CertificateUnknown",
    "FailureReason",
    "InvalidSignature",
    "OnlyTheSenderSigns",
    "RawRequest",
    "SecretComesFromSender",
    "SignedRequest",
    "is_usable_secret",
    "new_secret",
    "sends_secret",
    "sign",
    "sign_for",
    "sign_request",
    "verify",
    "verify_request",
]
