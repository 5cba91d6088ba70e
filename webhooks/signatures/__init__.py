"""Checks and makes signatures from schemes that are data. Knows no framework."""

from __future__ import annotations

from webhooks.signatures.errors import (
    Cause,
    CertificateUnknown,
    InvalidSignature,
    OnlyTheSenderSigns,
    SecretComesFromSender,
)
from webhooks.signatures.secret_forms import is_usable_secret, new_secret
from webhooks.signatures.signing import SignedRequest, sends_secret, sign, sign_request
from webhooks.signatures.verification import verify, verify_request

__all__ = [
    "Cause",
    "CertificateUnknown",
    "InvalidSignature",
    "OnlyTheSenderSigns",
    "SecretComesFromSender",
    "SignedRequest",
    "is_usable_secret",
    "new_secret",
    "sends_secret",
    "sign",
    "sign_as",
    "sign_request",
    "verify",
    "verify_request",
]
