"""Splits Python code into tokens, in time that only grows with its length.

The standard library's parser can be brought down by what it reads, and its tokenizer
takes a minute for 64 KB of the wrong quotes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import re2

from senders.sandbox.errors import SandboxRefused

_BLANK = rb"[ \t\f\r\n]+|\\\r?\n|#[^\n]*"
_STRINGS = (
    rb'"""(?s:[^\\]|\\.)*?"""',
    rb"'''(?s:[^\\]|\\.)*?'''",
    rb'"(?:[^"\\\n]|\\(?s:.))*"',
    rb"'(?:[^'\\\n]|\\(?s:.))*'",
)
_STRING = rb"[RrBbFfUuTt]{0,2}(?:" + rb"|".join(_STRINGS) + rb")"
_NAME = rb"[0-9A-Za-z_\x80-\xff]+"

_TOKEN = re2.compile(
    rb"(" + _BLANK + rb")|" + _STRING + rb"|" + _NAME + rb"|\*\*|(?s:.)"
)
_QUOTES = (b'"', b"'")


@dataclass(frozen=True, slots=True)
class Token:
    """A name, a string, or a sign; and whether it stands in the first column."""

    text: str
    begins_line: bool


def tokens_of(code: str) -> Iterator[Token]:
    """Yield the tokens without blanks and comments; raise SandboxRefused."""
    source = code.encode(errors="replace")
    for found in _TOKEN.finditer(source):
        text = found.group()
        if found.group(1) is not None:
            continue
        if text in _QUOTES:
            raise SandboxRefused("A string in the code is not closed")
        start = found.start()
        begins_line = start == 0 or source[start - 1 : start] == b"\n"
        yield Token(text.decode(errors="replace"), begins_line)
