"""How senders prove their identity, as data that `senders.signatures` interprets.

Encodings and formats of secrets also turn texts into bytes.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from enum import StrEnum

MIN_AUDIENCE_LENGTH = 20


class HashName(StrEnum):
    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


class Encoding(StrEnum):
    HEX = "hex"
    BASE64 = "base64"
    BASE64URL = "base64url"

    def to_bytes(self, text: bytes) -> bytes:
        """Return the bytes that a text represents; raise ValueError if it is malformed.

        Base64 must be canonical: padded, and with all unused bits zero. Hex may be in
        upper or lower case; base64url may omit its padding (RFC 7515).
        """
        match self:
            case Encoding.HEX:
                return binascii.unhexlify(text)
            case Encoding.BASE64:
                raw = base64.b64decode(text, validate=True)
                canonical = base64.b64encode(raw)
            case Encoding.BASE64URL:
                padding = b"=" * (-len(text) % 4)
                raw = base64.b64decode(text + padding, altchars=b"-_")
                canonical = base64.urlsafe_b64encode(raw)
                if not text.endswith(b"="):
                    canonical = canonical.rstrip(b"=")
        if text != canonical:
            raise ValueError("not canonical")
        return raw

    def to_text(self, raw: bytes) -> str:
        match self:
            case Encoding.HEX:
                return raw.hex()
            case Encoding.BASE64:
                return base64.b64encode(raw).decode()
            case Encoding.BASE64URL:
                return base64.urlsafe_b64encode(raw).decode()


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
    ISO8601 = "iso8601"


class PartKind(StrEnum):
    """The kind of value that one part of a signed template is replaced by."""

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
    """A part of a signed template; `text` is the literal or the header's name.

    A header or field that is optional counts as empty if the request does not have it.
    """

    kind: PartKind
    text: str = ""
    path: tuple[str, ...] = ()
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderEntries:
    """The entries of those headers of a list that the request has.

    An entry counts if it starts with one of the prefixes; the empty prefix matches
    every entry. Without a separator the whole header is one entry. `t=1,v1=ab,v1=cd` is
    separator `,` with prefix `v1=` for the signatures and `t=` for the timestamp.
    """

    headers: tuple[str, ...]
    separator: str | None = None
    prefixes: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyField:
    """A text or whole number at a JSON Pointer (RFC 6901) of the parsed body."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryField:
    """All values of a query parameter; the parameter is never stored."""

    name: str


ReadFrom = HeaderEntries | BodyField | QueryField


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFormat:
    """How a secret is written. The prefix is not part of the key.

    A text without the prefix is also accepted, unless `prefix_required` is set.
    """

    encoding: SecretEncoding = SecretEncoding.UTF8
    prefix: str = ""
    prefix_required: bool = False

    def key_of(self, secret: str) -> bytes:
        """Return the bytes of the key, empty if the secret has another format."""
        if self.prefix_required and not secret.startswith(self.prefix):
            return b""
        text = secret.removeprefix(self.prefix)
        try:
            match self.encoding:
                case SecretEncoding.UTF8 | SecretEncoding.PEM:
                    return text.encode()
                case SecretEncoding.HEX:
                    return binascii.unhexlify(text)
                case SecretEncoding.BASE64:
                    padding = "=" * (-len(text) % 4)  # many dashboards omit it
                    return base64.b64decode(text + padding, validate=True)
        except ValueError:
            return b""


# The format of secrets that are the key themselves, as UTF-8.
PLAIN = SecretFormat()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampRule:
    """Where the signed timestamp is, and how far from now it may be.

    The tolerance counts in both directions. None accepts every timestamp, for senders
    that document no tolerance.
    """

    read_from: ReadFrom
    unit: TimestampUnit = TimestampUnit.SECONDS
    tolerance_seconds: int | None = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedScheme:
    """A signature over a part of the request; one matching entry is enough.

    Either a template (`signed`) or a function of `senders.signatures.hooks`, named by
    `signed_by`, defines the bytes that are signed.
    """

    read_from: ReadFrom
    signed: tuple[TemplatePart, ...] = ()
    signed_by: str | None = None
    encodings: tuple[Encoding, ...] = (Encoding.HEX,)
    timestamp: TimestampRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestScheme(SignedScheme):
    """A signature that sender and receiver compute in the same way.

    `hashes` replaces `hash` for senders that name the hash in the prefix of an entry
    (`sha256=ab`).
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
    """A plain hash of a template that contains the secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeyScheme(SignedScheme):
    """A signature by the sender's private key; the secret is its public key."""

    algorithm: Algorithm
    secret: SecretFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateScheme(SignedScheme):
    """An RSA signature by a certificate whose URL stands in the body.

    The URL is accepted only if its whole host and path match these patterns (RE2). The
    version in the body selects the hash.
    """

    certificate_url: BodyField
    url_host: str
    url_path: str
    version: BodyField
    hashes: tuple[tuple[str, HashName], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScheme:
    """The secret itself in header, query or body: proves the sender, not the body.

    The pattern (RE2) describes the secrets that the sender can store; empty for any.
    """

    read_from: ReadFrom
    secret_pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicScheme:
    """HTTP Basic authentication (RFC 7617); the secret is `user:password`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtScheme:
    """A JSON Web Token (RFC 7519) by the sender: proves the sender, not the body.

    The public keys are read from `keys_url` only, whatever the token says. The secret
    is the audience that the token must have, and after a blank the value of its
    `subject_claim`, if the scheme has one.
    """

    read_from: ReadFrom
    algorithms: tuple[str, ...]
    issuers: tuple[str, ...]
    keys_url: str
    subject_claim: str = ""

    def expected(self, secret: str) -> tuple[str, str] | None:
        """Return the audience and subject of a secret, None if it proves nothing.

        An issuer with many customers makes tokens with any audience for each of them.
        So an audience that can be guessed, as a URL can, needs a subject.
        """
        audience, _, subject = secret.partition(" ")
        if subject:
            return (audience, subject) if audience and self.subject_claim else None
        is_guessable = len(audience) < MIN_AUDIENCE_LENGTH or "://" in audience
        return None if is_guessable else (audience, "")


SingleScheme = (
    HmacScheme
    | HashScheme
    | PublicKeyScheme
    | CertificateScheme
    | TokenScheme
    | BasicScheme
    | JwtScheme
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyScheme:
    """Several schemes of which one must verify, for senders with a choice of schemes.

    The strongest comes first. A weaker scheme does not weaken a stronger one: it needs
    the secret itself, which a sender configured for the stronger scheme never sends. A
    secret with a prefix that one scheme requires counts for that scheme only.
    """

    of: tuple[SingleScheme, ...]


SignatureScheme = SingleScheme | AnyScheme


def headers_with_secret(scheme: SignatureScheme | None) -> list[str]:
    """Return the headers that carry the secret itself."""
    match scheme:
        case (
            TokenScheme(read_from=HeaderEntries(headers=names))
            | JwtScheme(read_from=HeaderEntries(headers=names))
        ):
            return list(names)
        case BasicScheme():
            return ["Authorization"]
        case AnyScheme(of=alternatives):
            return [name for each in alternatives for name in headers_with_secret(each)]
    return []


def parameters_with_secret(scheme: SignatureScheme | None) -> list[str]:
    """Return the query parameters that carry the secret itself."""
    match scheme:
        case TokenScheme(read_from=QueryField(name=name)):
            return [name]
        case AnyScheme(of=alternatives):
            return [n for each in alternatives for n in parameters_with_secret(each)]
    return []


def is_in_body(scheme: SignatureScheme | None) -> bool:
    """Return whether the signature is a field of the body and signs other fields."""
    if isinstance(scheme, AnyScheme):
        return any(map(is_in_body, scheme.of))
    return isinstance(scheme, SignedScheme) and isinstance(scheme.read_from, BodyField)
