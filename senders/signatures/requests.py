from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

from senders.definitions.schemes import BodyField, HeaderEntries, ReadFrom
from senders.parsing import MalformedBody, parse_body
from senders.parsing.finding import follow
from senders.signatures.errors import Cause, InvalidSignature

MAX_VALUE_BYTES = 8 * 1024
MAX_ENTRIES = 20
BLANKS = b" \t"


class Entry(NamedTuple):
    """One of the values that a sender put in one place, after its prefix."""

    prefix: str
    value: bytes


@dataclass(frozen=True, kw_only=True)
class RawRequest:
    """The parts of a request that can be signed, as they came over the wire."""

    method: str
    url: str
    headers: Mapping[str, bytes | None]
    body: bytes

    @classmethod
    def of(
        cls, *, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Self:
        """Take the headers by their names in any case; an empty one is absent."""
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

        One that is encoded counts as malformed: gzip has room for a second body in its
        own header, so what is verified and what is decoded later could differ.
        """
        if self.headers.get("content-encoding", b"identity") != b"identity":
            return MalformedBody(
                "A body that is signed by its fields is sent as it is."
            )
        try:
            return parse_body(self.body, self.content_type).value
        except MalformedBody as error:
            return error

    def header(self, name: str) -> bytes:
        """Return the header's bytes; raise InvalidSignature if absent or unusable."""
        if name.lower() not in self.headers:
            raise InvalidSignature(Cause.MISSING_HEADER, f"{name} is missing.")
        value = self.headers[name.lower()]
        if value is None or len(value) > MAX_VALUE_BYTES:
            raise InvalidSignature(Cause.MALFORMED_HEADER, f"{name} is not readable.")
        return value

    def field(self, path: tuple[str, ...]) -> bytes | None:
        """Return the text or whole number at this place of the body, None if none.

        Raise InvalidSignature if the body is not what its content type says.
        """
        if isinstance(self._parsed, MalformedBody):
            detail = "The body that holds the signature is malformed."
            raise InvalidSignature(Cause.MALFORMED_BODY, detail)
        value = follow(self._parsed, path)
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        return str(value).encode("utf-8", "surrogatepass")

    def short_field(self, path: tuple[str, ...]) -> bytes:
        """Return the field's bytes; raise InvalidSignature if absent or too long."""
        value = self.field(path)
        pointer = "/" + "/".join(path)
        if not value:
            detail = f"{pointer} is missing in the body."
            raise InvalidSignature(Cause.MISSING_FIELD, detail)
        if len(value) > MAX_VALUE_BYTES:
            detail = f"{pointer} of the body is too long."
            raise InvalidSignature(Cause.MALFORMED_BODY, detail)
        return value

    def entries(self, source: ReadFrom) -> list[Entry]:
        """Return what follows a known prefix in the places that are present.

        Raise InvalidSignature if none of them is, or if they hold too much.
        """
        if isinstance(source, BodyField):
            return [Entry("", self.short_field(source.path))]
        present = [name for name in source.headers if name.lower() in self.headers]
        if not present:
            names = " or ".join(source.headers)
            raise InvalidSignature(Cause.MISSING_HEADER, f"{names} is missing.")
        found = [
            value for name in present for value in _split(self.header(name), source)
        ]
        if len(found) > MAX_ENTRIES:
            detail = f"More than {MAX_ENTRIES} signatures."
            raise InvalidSignature(Cause.MALFORMED_HEADER, detail)
        matching = (_after_prefix(value, source.prefixes) for value in found)
        return [entry for entry in matching if entry is not None]


def _wire_bytes(value: str) -> bytes | None:
    """Undo the Latin-1 decoding that WSGI prescribes (PEP 3333)."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _split(value: bytes, source: HeaderEntries) -> list[bytes]:
    if source.separator is None:
        return [value.strip(BLANKS)]
    entries = value.split(source.separator.encode(), MAX_ENTRIES + 1)
    return [entry.strip(BLANKS) for entry in entries]


def _after_prefix(value: bytes, prefixes: tuple[str, ...]) -> Entry | None:
    for prefix in prefixes:
        if value.startswith(prefix.encode()):
            return Entry(prefix, value.removeprefix(prefix.encode()))
    return None
