from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

from senders.definitions.schemes import BodyField, ReadFrom
from senders.errors import FailureReason, InvalidSignature, MalformedBody
from senders.parsing import parse_body
from senders.parsing.finding import resolve_pointer

MAX_VALUE_BYTES = 8 * 1024
MAX_ENTRIES = 20
BLANKS = b" \t"


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

    def entries(self, source: ReadFrom) -> list[SentEntry]:
        """Return the entries with a known prefix in the headers that are present.

        Raise InvalidSignature if no header is present, or if there are too many
        entries.
        """
        if isinstance(source, BodyField):
            return [SentEntry("", self.short_field(source.path))]
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
