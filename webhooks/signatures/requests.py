from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from webhooks.definitions.schemes import HeaderEntries
from webhooks.signatures.errors import Cause, InvalidSignature

MAX_HEADER_BYTES = 8 * 1024
MAX_ENTRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def header(self, name: str) -> bytes:
        """Return the header's bytes; raise InvalidSignature if absent or unusable."""
        if name.lower() not in self.headers:
            raise InvalidSignature(Cause.MISSING_HEADER, f"{name} is missing.")
        value = self.headers[name.lower()]
        if value is None or len(value) > MAX_HEADER_BYTES:
            raise InvalidSignature(Cause.MALFORMED_HEADER, f"{name} is not readable.")
        return value

    def entries(self, source: HeaderEntries) -> list[bytes]:
        """Return what follows a known prefix in the headers that are present.

        Raise InvalidSignature if none of them is, or if they hold too much.
        """
        present = [name for name in source.headers if name.lower() in self.headers]
        if not present:
            names = " or ".join(source.headers)
            raise InvalidSignature(Cause.MISSING_HEADER, f"{names} is missing.")
        found = [
            entry for name in present for entry in _split(self.header(name), source)
        ]
        if len(found) > MAX_ENTRIES:
            detail = f"More than {MAX_ENTRIES} signatures."
            raise InvalidSignature(Cause.MALFORMED_HEADER, detail)
        matching = (_after_prefix(entry, source.prefixes) for entry in found)
        return [rest for rest in matching if rest is not None]


def _wire_bytes(value: str) -> bytes | None:
    """Undo the Latin-1 decoding that WSGI prescribes (PEP 3333)."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _split(value: bytes, source: HeaderEntries) -> list[bytes]:
    if source.separator is None:
        return [value.strip(b" \t")]
    entries = value.split(source.separator.encode(), MAX_ENTRIES + 1)
    return [entry.strip(b" \t") for entry in entries]


def _after_prefix(entry: bytes, prefixes: tuple[str, ...]) -> bytes | None:
    for prefix in prefixes:
        if entry.startswith(prefix.encode()):
            return entry.removeprefix(prefix.encode())
    return None
