"""Schemes in which the sender signs with a private key.

The receiver verifies with the public key, which is the endpoint's secret, or with an
X.509 certificate. The certificate's chain is not checked: it is trusted because it was
fetched over HTTPS from a host that the scheme names, or because a person set it as a
secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import re2
from cryptography.exceptions import InvalidSignature as NotSigned
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_public_key,
)
from cryptography.x509 import load_pem_x509_certificate

from senders.definitions.schemes import (
    Algorithm,
    CertificateScheme,
    HashName,
    PublicKeyScheme,
    SignedScheme,
)
from senders.errors import (
    CertificateUnknown,
    FailureReason,
    InvalidSignature,
    NoSecretSet,
)
from senders.signatures.requests import (
    RawRequest,
    decode_signature,
    read_timestamp,
    signed_contents,
)

ED25519_KEY_BYTES = 32
P256 = ec.SECP256R1.name
MIN_RSA_BITS = 2048
HASHES: Mapping[HashName, hashes.HashAlgorithm] = {
    HashName.SHA1: hashes.SHA1(),  # noqa: S303 - version 1 of Amazon SNS, its default
    HashName.SHA256: hashes.SHA256(),
    HashName.SHA384: hashes.SHA384(),
    HashName.SHA512: hashes.SHA512(),
}
# A host and a path only: a port, user or query is not allowed.
URL = re2.compile(r"https://([a-z0-9.-]{1,253})(/[A-Za-z0-9._~/-]{1,500})")

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey


def verify_public_key(
    scheme: PublicKeyScheme,
    request: RawRequest,
    *,
    secrets: Sequence[str],
    now: float | None,
) -> None:
    """Raise InvalidSignature unless the owner of one of the public keys signed."""
    keys = [key for text in secrets if (key := load_public_key(scheme, text))]
    if not keys:
        raise NoSecretSet
    signatures = _read_signatures(scheme, request)
    timestamp = read_timestamp(scheme.timestamp, request, now=now)
    contents = signed_contents(scheme, request, timestamp=timestamp)
    if not any(
        _is_signed(key, signature=signature, content=content)
        for key in keys
        for content in contents
        for signature in signatures
    ):
        raise InvalidSignature(FailureReason.NO_MATCH, "The signature does not match.")


def load_public_key(scheme: PublicKeyScheme, secret: str) -> PublicKey | None:
    """Return the public key in a secret, None if it has no key of the algorithm."""
    raw = scheme.secret.key_of(secret)
    return _load_key(scheme.algorithm, raw) if raw else None


@lru_cache(maxsize=256)
def _load_key(algorithm: Algorithm, raw: bytes) -> PublicKey | None:
    if algorithm is Algorithm.ED25519 and len(raw) == ED25519_KEY_BYTES:
        return Ed25519PublicKey.from_public_bytes(raw)
    # Otherwise it is a SubjectPublicKeyInfo (RFC 5280) in PEM or DER.
    load = load_pem_public_key if raw.startswith(b"-----") else load_der_public_key
    try:
        key = load(raw)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, Ed25519PublicKey):
        return key if algorithm is Algorithm.ED25519 else None
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == P256:
        return key if algorithm is Algorithm.ECDSA else None
    return None


def _is_signed(key: PublicKey, *, signature: bytes, content: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, content)
        else:
            key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
    except NotSigned:
        return False
    return True


def _read_signatures(scheme: SignedScheme, request: RawRequest) -> list[bytes]:
    """Return the decoded signatures of a request; raise if there is none."""
    signatures = [
        raw
        for entry in request.entries(scheme.read_from)
        for raw in decode_signature(scheme.encodings, entry.value)
    ]
    if not signatures:
        detail = "No signature has the expected prefix and encoding."
        raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)
    return signatures


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """An RSA key of at least 2,048 bits; the validity is in seconds since the epoch."""

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
    """Return the certificate in a PEM text, None if it has no usable RSA key."""
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


def verify_certificate(
    scheme: CertificateScheme,
    request: RawRequest,
    *,
    secrets: Sequence[str],
    certificates: Mapping[str, str],
    now: float | None,
) -> None:
    """Raise InvalidSignature unless a certificate of the pinned host signed.

    `certificates` are PEM texts by the URL they were fetched from. Secrets that are
    certificates count for every URL that the scheme allows. Raise CertificateUnknown
    if the URL is allowed, but no certificate is known for it.
    """
    signatures = _read_signatures(scheme, request)
    name = hash_of_certificate(scheme, request)
    timestamp = read_timestamp(scheme.timestamp, request, now=now)
    url = _allowed_url(scheme, request)
    contents = signed_contents(scheme, request, timestamp=timestamp)
    usable = _usable_certificates(
        url, secrets=secrets, certificates=certificates, now=now
    )
    if not any(
        certificate.has_signed(content, signature, name)
        for certificate in usable
        for content in contents
        for signature in signatures
    ):
        raise InvalidSignature(FailureReason.NO_MATCH, "The signature does not match.")


def hash_of_certificate(scheme: CertificateScheme, request: RawRequest) -> HashName:
    """Return the hash that the version in the body selects; raise InvalidSignature."""
    version = request.short_field(scheme.version.path)
    for known, name in scheme.hashes:
        if version == known.encode():
            return name
    detail = "The signature version in the body is not supported."
    raise InvalidSignature(FailureReason.MALFORMED_BODY, detail)


def _allowed_url(scheme: CertificateScheme, request: RawRequest) -> str:
    url = request.short_field(scheme.certificate_url.path)
    text = url.decode("ascii", "replace")
    found = URL.fullmatch(text)
    if (
        found is None
        or _pattern(scheme.url_host).fullmatch(found[1]) is None
        or _pattern(scheme.url_path).fullmatch(found[2]) is None
    ):
        detail = "The certificate's URL does not belong to this sender."
        raise InvalidSignature(FailureReason.CERTIFICATE_REFUSED, detail)
    return text


@lru_cache(maxsize=64)
def _pattern(pattern: str) -> re2._Regexp:
    return re2.compile(pattern)


def _usable_certificates(
    url: str,
    *,
    secrets: Sequence[str],
    certificates: Mapping[str, str],
    now: float | None,
) -> list[Certificate]:
    fetched = certificates.get(url)
    texts = [*secrets, fetched] if fetched is not None else secrets
    loaded = [found for text in texts if (found := load_certificate(text))]
    if not loaded and fetched is None:
        raise CertificateUnknown(url)
    valid = [certificate for certificate in loaded if certificate.is_valid_at(now)]
    if not valid:
        detail = "The certificate is expired, not valid yet, or not an RSA certificate."
        raise InvalidSignature(FailureReason.CERTIFICATE_REFUSED, detail)
    return valid
