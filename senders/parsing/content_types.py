from __future__ import annotations

from collections.abc import Iterator


def parse_header(value: str) -> tuple[str, dict[str, str]]:
    """Split `text/plain; charset="utf-8"` into its lower-case value and parameters.

    Never raises. Of a list of values or of a repeated parameter the first counts.
    """
    first, *rest = _split_outside_quotes(value)
    parameters: dict[str, str] = {}
    for piece in rest:
        name, _, text = piece.partition("=")
        parameters.setdefault(name.strip().lower(), _unquote(text.strip()))
    return first.partition(",")[0].strip().lower(), parameters


def _split_outside_quotes(value: str) -> Iterator[str]:
    start, quoted, escaped = 0, False, False
    for index, character in enumerate(value):
        if escaped:
            escaped = False
        elif character == "\\" and quoted:
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            yield value[start:index]
            start = index + 1
    yield value[start:]


def _unquote(text: str) -> str:
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
