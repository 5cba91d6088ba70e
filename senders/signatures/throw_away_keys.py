"""Private keys that sign one test event, for senders whose private key only they have.

The receiver is given the matching public key together with this one request, in the
same process. The key is never stored, so it verifies no other request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding as KeyEncoding
from cryptography.hazmat.primitives.serialization import PublicFormat
from cryptography.x509.oid import NameOID

from senders.definitions.schemes import (
    Algorithm,
    CertificateScheme,
    Encoding,
    HashName,
    PublicKeyScheme,
    SecretEncoding,
)
from senders.signatures.public_keys import HASHES, MIN_RSA_BITS

VALID_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrowAwayKey:
    """A private key, and the secret with which a receiver verifies its signatures."""

    private: Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    secret: str

    def sign(self, content: bytes, name: HashName = HashName.SHA256) -> bytes:
        """Return the signature; the hash is only for certificates."""
        match self.private:
            case Ed25519PrivateKey():
                return self.private.sign(content)
            case ec.EllipticCurvePrivateKey():
                return self.private.sign(content, ec.ECDSA(hashes.SHA256()))
            case _:
                return self.private.sign(content, PKCS1v15(), HASHES[name])


def make_throw_away_key(scheme: PublicKeyScheme | CertificateScheme) -> ThrowAwayKey:
    """Return a new key whose secret has the form that the scheme requires."""
    if isinstance(scheme, CertificateScheme):
        key = rsa.generate_private_key(public_exponent=65537, key_size=MIN_RSA_BITS)
        return ThrowAwayKey(private=key, secret=_self_signed(key))
    private: Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    if scheme.algorithm is Algorithm.ED25519:
        private = Ed25519PrivateKey.generate()
        raw = private.public_key().public_bytes_raw()
    else:
        private = ec.generate_private_key(ec.SECP256R1())
        raw = private.public_key().public_bytes(
            KeyEncoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
    match scheme.secret.encoding:
        case SecretEncoding.HEX:
            text = Encoding.HEX.to_text(raw)
        case SecretEncoding.BASE64:
            text = Encoding.BASE64.to_text(raw)
        case SecretEncoding.UTF8 | SecretEncoding.PEM:
            text = private.public_key().public_bytes(
                KeyEncoding.PEM, PublicFormat.SubjectPublicKeyInfo
            ).decode()  # fmt: skip
    return ThrowAwayKey(private=private, secret=scheme.secret.prefix + text)


def _self_signed(key: rsa.RSAPrivateKey) -> str:
    """Return a certificate of the key, as PEM text."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tickhook test event")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - VALID_FOR,
        not_valid_after=now + VALID_FOR,
    )
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(KeyEncoding.PEM).decode()
