"""Checks and makes signatures from schemes that are data. Knows no framework."""

from __future__ import annotations

from senders.signatures.errors import (
    Cause,
    CertificateUnknown,
    InvalidSignature,
    OnlyTheSenderSigns,
    SecretComesFromSender,
)
from senders.signatures.secret_forms import is_usable_secret, new_secret
from senders.signatures.signing import SignedRequest, sends_secret, sign, sign_request
from senders.signatures.verification import verify, verify_request

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
