from __future__ import annotations

import string
from collections.abc import Iterator

from senders.definitions.schemes import PartKind, TemplatePart
from senders.definitions.sources import parse_pointer

PLAIN_PLACEHOLDERS = {
    kind.value: kind
    for kind in (
        PartKind.BODY,
        PartKind.TIMESTAMP,
        PartKind.METHOD,
        PartKind.URL,
        PartKind.URL_DECODED,
        PartKind.SECRET,
    )
}


def parse_template(template: str) -> tuple[TemplatePart, ...]:
    """Split a signed template such as `{header:webhook-id}.{timestamp}.{body}`.

    Raise ValueError where a brace is left open or a placeholder is unknown.
    """
    return tuple(_parts(template))


def _parts(template: str) -> Iterator[TemplatePart]:
    for text, name, argument, conversion in string.Formatter().parse(template):
        if text:
            yield TemplatePart(kind=PartKind.TEXT, text=text)
        if name is not None:
            yield _placeholder(name, argument or "", conversion)


def _placeholder(name: str, argument: str, conversion: str | None) -> TemplatePart:
    if conversion is None and name == "header" and argument:
        return TemplatePart(kind=PartKind.HEADER, text=argument)
    if conversion is None and name == "json" and argument.startswith("/"):
        return TemplatePart(kind=PartKind.JSON, path=parse_pointer(argument))
    if conversion is None and name in PLAIN_PLACEHOLDERS and not argument:
        return TemplatePart(kind=PLAIN_PLACEHOLDERS[name])
    known = ", ".join([*PLAIN_PLACEHOLDERS, "header:<name>", "json:/<pointer>"])
    raise ValueError(f"unknown placeholder {name!r}; known are {known}")
