from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TextPath = tuple[str, ...]

ROOTS = frozenset({
    "event", "request", "payload", "parsed", "schedule", "trigger", "history",
    "headers", "query", "body", "hour", "minute", "weekday", "date",
})  # fmt: skip

ALWAYS_TEXT: frozenset[TextPath] = frozenset(
    {
        ("request", "headers"),
        ("request", "query"),
        ("headers",),
        ("query",),
    }
)


@dataclass(frozen=True, slots=True)
class Document:
    """The values that a condition is judged by, under the names of `ROOTS`.

    `values` may compute a value when it is first asked for; what it raises then
    (other than KeyError) passes through the evaluation. Header names are lower-case.
    `text_paths` are the further prefixes below which every scalar arrived as text (a
    form's body), so that a number is read from numeric text there.
    """

    values: Mapping[str, object]
    text_paths: frozenset[TextPath] = frozenset()
