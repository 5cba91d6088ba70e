"""Finds the function to call in a piece of code, without running the code.

The code is only split into tokens, in time proportional to its length: malicious input
can crash the parser of the standard library, and its tokenizer takes a minute for 64 KB
of the wrong quotes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import re2

from senders.errors import SandboxRefused
from senders.sandbox.limits import MAX_CODE_BYTES

CodeKind = Literal["parser", "validator"]

PREFIXES: dict[CodeKind, str] = {"parser": "parse", "validator": "validate"}
PARAMETERS = ("body", "headers", "webhook_config", "config", "query", "method")


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A function of the code, and the names of its parameters in their order."""

    name: str
    parameters: tuple[str, ...]

    @property
    def call(self) -> str:
        """The Python expression that calls the function, one input per parameter."""
        return f"{self.name}({', '.join(map(input_name, self.parameters))})"


def input_name(parameter: str) -> str:
    """Return the name of the global variable that holds an argument."""
    return f"_given_{parameter}"


@lru_cache(maxsize=256)
def find_entry_point(code: str, kind: CodeKind) -> EntryPoint:
    """Return the function to call; raise SandboxRefused if there is not exactly one."""
    if len(code.encode(errors="replace")) > MAX_CODE_BYTES:
        raise SandboxRefused(f"The code is larger than {MAX_CODE_BYTES // 1024} KB")
    prefix, functions, tokens = PREFIXES[kind], [], tokens_of(code)
    for token in tokens:
        if token.text == "def" and token.begins_line:  # neither `async def` nor nested
            name = next(tokens, None)
            parameters = tuple(_parameters(tokens))
            functions.append(EntryPoint(name.text if name else "", parameters))
    named = [function for function in functions if function.name.startswith(prefix)]
    candidates = named or functions
    if len(candidates) != 1:
        raise SandboxRefused(
            f"The code must have exactly one function whose name begins with "
            f"`{prefix}` at its top level, or only one function; it has "
            f"{len(candidates)}"
        )
    _check_parameters(candidates[0])
    return candidates[0]


def _check_parameters(function: EntryPoint) -> None:
    for name in function.parameters:
        if name not in PARAMETERS:
            raise SandboxRefused(
                f"`{function.name}` has a parameter `{name[:50]}`; the allowed "
                f"parameters are: {', '.join(PARAMETERS)}"
            )


def _parameters(tokens: Iterator[Token]) -> Iterator[str]:
    """Yield the names between the brackets; `*` and `/` count as names, too."""
    depth, is_due = 0, False
    for token in tokens:
        if token.text in ("(", "[", "{"):
            depth += 1
            is_due = depth == 1
        elif token.text in (")", "]", "}"):
            depth -= 1
            if depth <= 0:
                return
        elif depth == 1 and token.text == ",":
            is_due = True
        elif is_due:
            is_due = False
            yield token.text


_BLANK = rb"[ \t\f\r\n]+|\\\r?\n|#[^\n]*"
_STRINGS = (
    rb'"""(?s:[^\\]|\\.)*?"""',
    rb"'''(?s:[^\\]|\\.)*?'''",
    rb'"(?:[^"\\\n]|\\(?s:.))*"',
    rb"'(?:[^'\\\n]|\\(?s:.))*'",
)
_STRING = rb"[RrBbFfUuTt]{0,2}(?:" + rb"|".join(_STRINGS) + rb")"
_WORD = rb"[0-9A-Za-z_\x80-\xff]+"

_TOKEN = re2.compile(
    rb"(" + _BLANK + rb")|" + _STRING + rb"|" + _WORD + rb"|\*\*|(?s:.)"
)
_QUOTES = (b'"', b"'")


@dataclass(frozen=True, slots=True)
class Token:
    """A name, a string or a sign, and whether it starts in the first column."""

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
