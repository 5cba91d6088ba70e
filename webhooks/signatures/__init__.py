"""Checks and makes signatures from schemes that are data. Knows no framework."""

from __future__ import annotations

from webhooks.signatures.errors import Cause, InvalidSignature
from webhooks.signatures.keys import is_usable_secret, new_secret
from webhooks.signatures.signing import sign, sign_as, sign_request
from webhooks.signatures.verification import verify, verify_request

__all__ = [
    "Cause",
    "InvalidSignature",
    "is_usable_secret",
    "new_secret",
    "sign",
    "sign_as",
    "sign_request",
    "verify",
    "verify_request",
]
