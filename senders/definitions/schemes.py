"""How senders prove themselves, as plain data; `senders.signatures` acts on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HashName(StrEnum):
    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


class Encoding(StrEnum):
    HEX = "hex"
    BASE64 = "base64"
    BASE64URL = "base64url"


class SecretEncoding(StrEnum):
    """How the text of a secret becomes the bytes of a key; PEM is for public keys."""

    UTF8 = "utf8"
    BASE64 = "base64"
    HEX = "hex"
    PEM = "pem"


class Algorithm(StrEnum):
    """What a public key verifies; ECDSA means P-256 and SHA-256."""

    ED25519 = "ed25519"
    ECDSA = "ecdsa"


class TimestampUnit(StrEnum):
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


class PartKind(StrEnum):
    """What one part of a signed template stands for."""

    TEXT = "text"
    BODY = "body"
    TIMESTAMP = "timestamp"
    METHOD = "method"
    URL = "url"
    URL_DECODED = "url_decoded"
    SECRET = "secret"  # noqa: S105 - a kind, not a password
    HEADER = "header"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatePart:
    """A part of what is signed; `text` is the literal or the header's name."""

    kind: PartKind
    text: str = ""
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderEntries:
    """Entries that all present headers of a list carry.

    An entry counts if it starts with one of the prefixes; the empty prefix takes
    any. Without a separator the whole header is one entry. `t=1,v1=ab,v1=cd` is
    separator `,` with prefix `v1=` for the signatures and `t=` for the timestamp.
    """

    headers: tuple[str, ...]
    separator: str | None = None
    prefixes: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyField:
    """A text or whole number at a JSON Pointer (RFC 6901) of the parsed body."""

    path: tuple[str, ...]


ReadFrom = HeaderEntries | BodyField


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFormat:
    """How a secret is written; the prefix is no part of the key.

    A text without the prefix is a secret too, unless `prefix_required`.
    """

    encoding: SecretEncoding = SecretEncoding.UTF8
    prefix: str = ""
    prefix_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampRule:
    """Where the signed timestamp is, and how far from now it may be, either way.

    Without a tolerance it may be of any time: for senders that document none.
    """

    read_from: ReadFrom
    unit: TimestampUnit = TimestampUnit.SECONDS
    tolerance_seconds: int | None = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedScheme:
    """A signature over a part of the request; any matching entry will do.

    What is signed is told by a template or, by name, by one function of
    `senders.signatures.hooks`.
    """

    read_from: ReadFrom
    signed: tuple[TemplatePart, ...] = ()
    signed_by: str | None = None
    encodings: tuple[Encoding, ...] = (Encoding.HEX,)
    timestamp: TimestampRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestScheme(SignedScheme):
    """A signature that both sides compute alike.

    `hashes` is for senders that name the hash by the prefix of an entry
    (`sha256=ab`); it then decides instead of `hash`.
    """

    hash: HashName = HashName.SHA256
    hashes: tuple[tuple[str, HashName], ...] = ()

    def hash_of(self, prefix: str) -> HashName:
        return dict(self.hashes)[prefix] if self.hashes else self.hash


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacScheme(DigestScheme):
    """A keyed hash (RFC 2104)."""

    secret: SecretFormat = SecretFormat()


@dataclass(frozen=True, slots=True, kw_only=True)
class HashScheme(DigestScheme):
    """A plain hash over a template that the secret is part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeyScheme(SignedScheme):
    """A signature by the sender's private key; the secret is its public key."""

    algorithm: Algorithm
    secret: SecretFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateScheme(SignedScheme):
    """An RSA signature by a certificate that the body names by its URL.

    The URL counts only if host and path match these patterns (RE2) in full. The
    version that the body names decides the hash.
    """

    certificate_url: BodyField
    url_host: str
    url_path: str
    version: BodyField
    hashes: tuple[tuple[str, HashName], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScheme:
    """The secret itself in a header or body: proves the sender, not the body.

    The pattern (RE2) says which secrets the sender can be given; empty for any.
    """

    read_from: ReadFrom
    secret_pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicScheme:
    """HTTP Basic authentication (RFC 7617); the secret is `user:password`."""


SingleScheme = (
    HmacScheme
    | HashScheme
    | PublicKeyScheme
    | CertificateScheme
    | TokenScheme
    | BasicScheme
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyScheme:
    """Schemes of which one must verify, for senders that can be set to several.

    The strongest comes first. A weaker one opens no way past a stronger: it needs the
    secret itself, and a sender that is set to the stronger never sends that. A secret
    with a prefix that one scheme requires counts for that scheme alone.
    """

    of: tuple[SingleScheme, ...]


SignatureScheme = SingleScheme | AnyScheme


def headers_with_secret(scheme: SignatureScheme | None) -> list[str]:
    """Return the headers in which the secret itself travels."""
    match scheme:
        case TokenScheme(read_from=HeaderEntries(headers=names)):
            return list(names)
        case BasicScheme():
            return ["Authorization"]
        case AnyScheme(of=alternatives):
            return [name for each in alternatives for name in headers_with_secret(each)]
    return []


def is_in_body(scheme: SignatureScheme | None) -> bool:
    """Whether the signature is a field of the body, and signs others."""
    if isinstance(scheme, AnyScheme):
        return any(map(is_in_body, scheme.of))
    return isinstance(scheme, SignedScheme) and isinstance(scheme.read_from, BodyField)
