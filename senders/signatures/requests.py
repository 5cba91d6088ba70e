"""The parts of a request that signatures cover, and the bytes that are signed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple, Self
from urllib.parse import parse_qsl

from common.registry import Registry
from senders.definitions.schemes import (
    BodyField,
    Encoding,
    PartKind,
    QueryField,
    ReadFrom,
    SignedScheme,
    TemplatePart,
    TimestampRule,
    TimestampUnit,
)
from senders.errors import FailureReason, InvalidSignature, MalformedBody
from senders.parsing import parse_body
from senders.parsing.finding import resolve_pointer

MAX_VALUE_BYTES = 8 * 1024
MAX_ENTRIES = 20
BLANKS = b" \t"
MAX_DIGITS = 15
MAX_QUERY_FIELDS = 1000
# A date and time with its offset (RFC 3339); Twitch sends nanoseconds.
_INSTANT = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    rb"(Z|[+-][0-9]{2}:[0-9]{2})"
)
UNITS_PER_SECOND = {TimestampUnit.SECONDS: 1, TimestampUnit.MILLISECONDS: 1000}

# HubSpot decodes exactly these escapes of a URL before it signs:
# https://developers.hubspot.com/docs/guides/apps/authentication/validating-requests
_DECODED = {
    f"%{ord(character):02X}".encode(): character.encode()
    for character in ":/?@!$'()*,;"
}
_ESCAPES = re.compile(b"|".join(_DECODED))

Hook = Callable[["RawRequest"], list[bytes]]
hooks: Registry[Hook] = Registry("function for signed contents")


class SentEntry(NamedTuple):
    """One value of a header or body field, split after its prefix."""

    prefix: str
    value: bytes


@dataclass(frozen=True, kw_only=True)
class RawRequest:
    """The parts of a request that can be signed, with the bytes that were sent."""

    method: str
    url: str
    headers: Mapping[str, bytes | None]
    body: bytes

    @classmethod
    def of(
        cls, *, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Self:
        """Accept header names in any case; an empty header counts as absent."""
        raw = {
            name.lower(): _wire_bytes(text) for name, text in headers.items() if text
        }
        return cls(method=method, url=url, headers=raw, body=body)

    @cached_property
    def content_type(self) -> str:
        return (self.headers.get("content-type") or b"").decode("latin-1")

    @cached_property
    def _parsed(self) -> object:
        """The parsed body, or the MalformedBody that parsing it raised.

        A compressed body counts as malformed: gzip can hold a second body in its own
        header, so the verified and the decoded body could differ.
        """
        if self.headers.get("content-encoding", b"identity") != b"identity":
            return MalformedBody(
                "A body whose fields are signed cannot have a Content-Encoding."
            )
        try:
            return parse_body(self.body, self.content_type).value
        except MalformedBody as error:
            return error

    def header(self, name: str) -> bytes:
        """Return the header's bytes; raise InvalidSignature if absent or unusable."""
        if name.lower() not in self.headers:
            detail = f"The header {name} is missing."
            raise InvalidSignature(FailureReason.MISSING_HEADER, detail)
        value = self.headers[name.lower()]
        if value is None or len(value) > MAX_VALUE_BYTES:
            detail = (
                f"The header {name} is longer than {MAX_VALUE_BYTES:,} bytes, "
                "or not Latin-1 text."
            )
            raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)
        return value

    def field(self, path: tuple[str, ...]) -> bytes | None:
        """Return the text or whole number at this path of the body, None if none.

        Raise InvalidSignature if the body does not match its content type.
        """
        if isinstance(self._parsed, MalformedBody):
            detail = "The body that contains the signature is malformed."
            raise InvalidSignature(FailureReason.MALFORMED_BODY, detail)
        value = resolve_pointer(self._parsed, path)
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        return str(value).encode("utf-8", "surrogatepass")

    def lacks(self, path: tuple[str, ...]) -> bool:
        """Return whether the body has nothing here: no member, null or an empty text.

        Raise InvalidSignature if the body does not match its content type.
        """
        if self.field(path):
            return False
        return resolve_pointer(self._parsed, path) in (None, "")

    def short_field(self, path: tuple[str, ...]) -> bytes:
        """Return the field's bytes; raise InvalidSignature if absent or too long."""
        value = self.field(path)
        pointer = "/" + "/".join(path)
        if not value:
            detail = f"{pointer} is missing in the body."
            raise InvalidSignature(FailureReason.MISSING_FIELD, detail)
        if len(value) > MAX_VALUE_BYTES:
            detail = f"{pointer} of the body is longer than {MAX_VALUE_BYTES:,} bytes."
            raise InvalidSignature(FailureReason.MALFORMED_BODY, detail)
        return value

    def parameter(self, name: str) -> list[bytes]:
        """Return the values of a query parameter; raise InvalidSignature if absent."""
        query = self.url.partition("#")[0].partition("?")[2]
        try:
            pairs = parse_qsl(query, errors="replace", max_num_fields=MAX_QUERY_FIELDS)
        except ValueError as error:
            detail = "The query has too many fields."
            raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail) from error
        values = [
            value.encode("utf-8", "surrogatepass") for n, value in pairs if n == name
        ]
        if not values:
            detail = f"The query parameter {name} is missing."
            raise InvalidSignature(FailureReason.MISSING_FIELD, detail)
        if len(values) > MAX_ENTRIES or max(map(len, values)) > MAX_VALUE_BYTES:
            detail = f"The query parameter {name} is too long."
            raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)
        return values

    def entries(self, source: ReadFrom) -> list[SentEntry]:
        """Return the entries with a known prefix in the headers that are present.

        Raise InvalidSignature if no header is present, or if there are too many
        entries.
        """
        if isinstance(source, BodyField):
            return [SentEntry("", self.short_field(source.path))]
        if isinstance(source, QueryField):
            return [SentEntry("", value) for value in self.parameter(source.name)]
        present = [name for name in source.headers if name.lower() in self.headers]
        if not present:
            detail = f"The header {' or '.join(source.headers)} is missing."
            raise InvalidSignature(FailureReason.MISSING_HEADER, detail)
        found: list[bytes] = []
        for name in present:
            value = self.header(name)
            if source.separator is not None:
                found += value.split(source.separator.encode(), MAX_ENTRIES + 1)
            else:
                found.append(value)
        if len(found) > MAX_ENTRIES:
            detail = f"The request has more than {MAX_ENTRIES} signatures."
            raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)
        stripped = [value.strip(BLANKS) for value in found]
        return list(_with_prefix(stripped, source.prefixes))


def decode_signature(encodings: tuple[Encoding, ...], text: bytes) -> Iterator[bytes]:
    """Yield the bytes that the text represents in each encoding that accepts it."""
    for encoding in encodings:
        try:
            raw = encoding.to_bytes(text)
        except ValueError:
            continue
        if raw:
            yield raw


def _wire_bytes(value: str) -> bytes | None:
    """Undo the Latin-1 decoding that WSGI prescribes (PEP 3333)."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _with_prefix(values: list[bytes], prefixes: tuple[str, ...]) -> Iterator[SentEntry]:
    """Yield the values that have a prefix; the first matching prefix counts."""
    for value in values:
        for prefix in prefixes:
            if value.startswith(prefix.encode()):
                yield SentEntry(prefix, value.removeprefix(prefix.encode()))
                break


def signed_contents(
    scheme: SignedScheme, request: RawRequest, *, timestamp: bytes, secret: bytes = b""
) -> list[bytes]:
    """Return the contents that may have been signed.

    A template makes one, a hook can make several. Raise InvalidSignature if a part of
    the request that is signed is missing.
    """
    if scheme.signed_by is not None:
        return hooks[scheme.signed_by](request)
    parts = [_part(part, request, timestamp, secret) for part in scheme.signed]
    return parts if len(parts) == 1 else [b"".join(parts)]


def _part(
    part: TemplatePart, request: RawRequest, timestamp: bytes, secret: bytes
) -> bytes:
    match part.kind:
        case PartKind.TEXT:
            return part.text.encode()
        case PartKind.BODY:
            return request.body
        case PartKind.TIMESTAMP:
            return timestamp
        case PartKind.METHOD:
            return request.method.upper().encode("utf-8", "surrogatepass")
        case PartKind.URL:
            return _url(request)
        case PartKind.URL_DECODED:
            return _ESCAPES.sub(lambda match: _DECODED[match[0]], _url(request))
        case PartKind.SECRET:
            return secret
        case PartKind.HEADER:
            if part.is_optional and part.text.lower() not in request.headers:
                return b""
            return request.header(part.text)
        case PartKind.JSON:
            if part.is_optional and request.lacks(part.path):
                return b""
            return request.short_field(part.path)


def _url(request: RawRequest) -> bytes:
    return request.url.encode("utf-8", "surrogatepass")


def read_timestamp(
    rule: TimestampRule | None, request: RawRequest, *, now: float | None
) -> bytes:
    """Return the bytes of the signed timestamp, empty if the scheme has none.

    Raise InvalidSignature unless it is within the tolerance. A timestamp in the future
    is rejected as well: the request could be replayed for longer. If `now` is None,
    every timestamp with a tolerance is rejected.
    """
    if rule is None:
        return b""
    entries = request.entries(rule.read_from)
    timestamp = entries[0].value if len(entries) == 1 else b""
    signed_at = _seconds(timestamp, rule.unit)
    tolerance = rule.tolerance_seconds
    if tolerance is not None and (now is None or abs(now - signed_at) > tolerance):
        detail = (
            f"The timestamp differs from the current time by more than "
            f"{tolerance} seconds."
        )
        raise InvalidSignature(FailureReason.TIMESTAMP_OUTSIDE_TOLERANCE, detail)
    return timestamp


def _seconds(timestamp: bytes, unit: TimestampUnit) -> float:
    """Return the seconds since the epoch; raise InvalidSignature if malformed."""
    if unit is not TimestampUnit.ISO8601:
        if timestamp.isdigit() and len(timestamp) <= MAX_DIGITS:
            return int(timestamp) / UNITS_PER_SECOND[unit]
        detail = "The timestamp is not exactly one whole number."
        raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)
    try:
        if _INSTANT.fullmatch(timestamp):
            return datetime.fromisoformat(timestamp.decode()).timestamp()
    except ValueError:
        pass
    detail = "The timestamp is not one instant such as 2026-11-30T09:00:00Z."
    raise InvalidSignature(FailureReason.MALFORMED_HEADER, detail)


def write_timestamp(rule: TimestampRule, *, now: float) -> int | str:
    if rule.unit is not TimestampUnit.ISO8601:
        return int(now * UNITS_PER_SECOND[rule.unit])
    instant = datetime.fromtimestamp(now, UTC).replace(tzinfo=None)
    return f"{instant.isoformat(timespec='seconds')}Z"
