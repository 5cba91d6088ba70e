"""X.509 certificates that sign requests.

Their chain is not followed here: a certificate is trusted because it was fetched over
HTTPS from a host that the scheme names, or because someone set it as a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature as NotSigned
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from senders.definitions.schemes import HashName

MIN_RSA_BITS = 2048
HASHES: Mapping[HashName, hashes.HashAlgorithm] = {
    HashName.SHA1: hashes.SHA1(),  # noqa: S303 - version 1 of Amazon SNS, its default
    HashName.SHA256: hashes.SHA256(),
    HashName.SHA384: hashes.SHA384(),
    HashName.SHA512: hashes.SHA512(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """An RSA key of at least 2,048 bits, and the seconds between which it is valid."""

    key: RSAPublicKey
    valid_from: float
    valid_until: float

    def is_valid_at(self, now: float | None) -> bool:
        return now is not None and self.valid_from <= now <= self.valid_until

    def has_signed(self, content: bytes, signature: bytes, name: HashName) -> bool:
        try:
            self.key.verify(signature, content, PKCS1v15(), HASHES[name])
        except (NotSigned, UnsupportedAlgorithm):
            return False
        return True


@lru_cache(maxsize=64)
def load_certificate(pem: str) -> Certificate | None:
    """Return the certificate of a PEM text, None if it is none that could be used."""
    try:
        found = load_pem_x509_certificate(pem.encode())
        key = found.public_key()
        valid_from = found.not_valid_before_utc.timestamp()
        valid_until = found.not_valid_after_utc.timestamp()
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_RSA_BITS:
        return None
    return Certificate(key=key, valid_from=valid_from, valid_until=valid_until)
