"""Public keys: what a secret is where the sender signs with a private key."""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature as NotSigned
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_public_key,
)

from senders.definitions.schemes import Algorithm, PublicKeyScheme
from senders.signatures.keys import decode_secret

ED25519_KEY_BYTES = 32
P256 = ec.SECP256R1.name

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey


def load_public_key(scheme: PublicKeyScheme, secret: str) -> PublicKey | None:
    """Return the public key that a secret stands for, None if it is no such key."""
    raw = decode_secret(scheme.secret, secret)
    return _load(scheme.algorithm, raw) if raw else None


def is_signed(key: PublicKey, *, signature: bytes, content: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, content)
        else:
            key.verify(signature, content, ec.ECDSA(SHA256()))
    except NotSigned:
        return False
    return True


@lru_cache(maxsize=256)
def _load(algorithm: Algorithm, raw: bytes) -> PublicKey | None:
    if algorithm is Algorithm.ED25519 and len(raw) == ED25519_KEY_BYTES:
        return Ed25519PublicKey.from_public_bytes(raw)
    key = _parse(raw)
    if isinstance(key, Ed25519PublicKey):
        return key if algorithm is Algorithm.ED25519 else None
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == P256:
        return key if algorithm is Algorithm.ECDSA else None
    return None


def _parse(raw: bytes) -> object:
    """Return the key of a SubjectPublicKeyInfo (RFC 5280) in PEM or DER."""
    load = load_pem_public_key if raw.startswith(b"-----") else load_der_public_key
    try:
        return load(raw)
    except (ValueError, UnsupportedAlgorithm):
        return None
