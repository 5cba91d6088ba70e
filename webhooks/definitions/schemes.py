"""How senders prove themselves, as plain data; `webhooks.signatures` acts on it."""

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


class SecretEncoding(StrEnum):
    """How the text of a secret becomes the bytes of a key."""

    UTF8 = "utf8"
    BASE64 = "base64"
    HEX = "hex"


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
    HEADER = "header"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatePart:
    """A part of what is signed; `text` is the literal or the header's name."""

    kind: PartKind
    text: str = ""


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
class SecretFormat:
    """How a secret is written; the prefix is no part of the key and may be absent."""

    encoding: SecretEncoding = SecretEncoding.UTF8
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampRule:
    """Where the signed timestamp is, and how far from now it may be, either way."""

    read_from: HeaderEntries
    unit: TimestampUnit = TimestampUnit.SECONDS
    tolerance_seconds: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacScheme:
    """A keyed hash over a template of the request; any matching entry will do."""

    read_from: HeaderEntries
    signed: tuple[TemplatePart, ...]
    hash: HashName = HashName.SHA256
    encodings: tuple[Encoding, ...] = (Encoding.HEX,)
    secret: SecretFormat = SecretFormat()
    timestamp: TimestampRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScheme:
    """The secret itself in a header: proves the sender, not the body."""

    read_from: HeaderEntries


SignatureScheme = HmacScheme | TokenScheme
