from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from common.templating.errors import RenderingFailed
from common.values import storable

MAX_OUTPUT_BYTES = 65_536
MAX_VALUES = 100_000
MAX_FILTERED_BYTES = 1_000_000
MAX_NESTING = 120
# 4,214 decimal digits: Python converts at most 4,300 to text.
_MAX_NUMBER_BITS = 14_000

_TOO_LARGE = "The text would be larger than 64 KB"


@dataclass(slots=True)
class Rendering:
    """How much work one rendering has done, and in which place of the text it is."""

    text: str
    at: int = 0
    values: int = 0
    """Values that paths with `[*]` have read."""
    filtered_bytes: int = 0
    """Bytes of UTF-8 of the texts that filters have read."""

    def failure(self, detail: str) -> RenderingFailed:
        return RenderingFailed(detail, text=self.text, at=self.at)

    def count_values(self, count: int) -> None:
        self.values += count
        if self.values > MAX_VALUES:
            raise self.failure(f"Paths with [*] would read over {MAX_VALUES:,} values")

    def count_bytes(self, count: int) -> None:
        self.filtered_bytes += count
        if self.filtered_bytes > MAX_FILTERED_BYTES:
            limit = f"{MAX_FILTERED_BYTES:,} bytes"
            raise self.failure(f"The filters would read over {limit} of text")


@dataclass(slots=True)
class Output:
    """Collects text, and fails as soon as it has more than 64 KB of UTF-8."""

    rendering: Rendering
    pieces: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, text: str) -> None:
        """Add text without NUL and lone surrogates."""
        # A text that is too long anyway is not encoded.
        if len(text) <= MAX_OUTPUT_BYTES and not text.isascii():
            self.size += len(text.encode())
        else:
            self.size += len(text)
        if self.size > MAX_OUTPUT_BYTES:
            raise self.rendering.failure(_TOO_LARGE)
        self.pieces.append(text)

    def add_value(self, value: object) -> None:
        """Add text as it is, and any other value as JSON."""
        if isinstance(value, str):
            self.add(self._clean(value))
        else:
            self.add_json(value)

    def add_json(self, value: object, depth: int = 0) -> None:
        if isinstance(value, str):
            self.add(json.dumps(self._clean(value), ensure_ascii=False))
        elif isinstance(value, list | Mapping):
            if depth == MAX_NESTING:
                detail = f"The value is nested over {MAX_NESTING} levels deep"
                raise self.rendering.failure(detail)
            if isinstance(value, list):
                self._add_list(value, depth + 1)
            else:
                self._add_object(value, depth + 1)
        else:
            self.add(self._scalar(value))

    def text(self) -> str:
        return "".join(self.pieces)

    def _add_list(self, items: list[object], depth: int) -> None:
        self.add("[")
        for number, item in enumerate(items):
            if number:
                self.add(",")
            self.add_json(item, depth)
        self.add("]")

    def _add_object(self, members: Mapping[object, object], depth: int) -> None:
        self.add("{")
        for number, (key, item) in enumerate(members.items()):
            if not isinstance(key, str):
                raise self.rendering.failure("The keys of objects must be text")
            if number:
                self.add(",")
            self.add_json(key)
            self.add(":")
            self.add_json(item, depth)
        self.add("}")

    def _scalar(self, value: object) -> str:
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            if value.bit_length() <= _MAX_NUMBER_BITS:
                return int.__repr__(value)
            raise self.rendering.failure("The number has too many digits")
        if isinstance(value, float):
            if math.isfinite(value):
                return float.__repr__(value)
            raise self.rendering.failure("JSON has no number that is infinite or NaN")
        kind = type(value).__name__
        raise self.rendering.failure(f"A value of the type {kind} is not JSON")

    def _clean(self, text: str) -> str:
        if len(text) > MAX_OUTPUT_BYTES:
            raise self.rendering.failure(_TOO_LARGE)
        return storable(text)
