"""Key pairs and certificates of senders that sign with a private key."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from senders.signatures.jwt import key_set_text

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.example")])
HASHES = {"sha1": SHA1(), "sha256": SHA256()}  # noqa: S303 - what SNS signs with


@cache
def ed25519_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@cache
def p256_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def other_p256_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def raw_public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def spki(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    body = base64.encodebytes(spki(key)).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n"


def ecdsa_signature(content: bytes) -> str:
    signature = p256_key().sign(content, ec.ECDSA(SHA256()))
    return base64.b64encode(signature).decode()


def rsa_signature(content: bytes, hash_name: str = "sha256", bits: int = 2048) -> str:
    signature = rsa_key(bits).sign(content, PKCS1v15(), HASHES[hash_name])
    return base64.b64encode(signature).decode()


@cache
def certificate(
    valid_from: float = 0, valid_until: float = 4_000_000_000, bits: int = 2048
) -> str:
    """Return a certificate of the RSA key in PEM."""
    key, epoch = rsa_key(bits), datetime(1970, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(epoch + timedelta(seconds=valid_from))
        .not_valid_after(epoch + timedelta(seconds=valid_until))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


GOOGLE_KEYS = "https://www.googleapis.com/oauth2/v3/certs"
KEY_ID = "7d680d8c"


@cache
def key_set(fetched_at: float = 1_795_000_000, bits: int = 2048) -> str:
    """Return the stored set of keys of a sender that signs tokens."""
    return key_set_text(published_keys(bits), fetched_at=fetched_at)


def published_keys(bits: int = 2048, **changes: object) -> bytes:
    """Return the set of keys as a sender publishes it."""
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key(bits).public_key()))
    named = {**key, "kid": KEY_ID, "use": "sig", "alg": "RS256", **changes}
    return json.dumps({"keys": [named]}).encode()
