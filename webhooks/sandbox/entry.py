"""Finds the function that is called in a piece of code, without running any of it.

Only tokens are looked at: Python's own parser can be brought down by what it reads.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from tokenize import TokenInfo
from typing import Literal

from webhooks.sandbox.errors import SandboxRefused
from webhooks.sandbox.limits import MAX_CODE_BYTES

CodeKind = Literal["parser", "validator"]

PREFIXES: dict[CodeKind, str] = {"parser": "parse", "validator": "validate"}
PARAMETERS = ("body", "headers", "webhook_config", "config", "query", "method")

_BLANK = frozenset({
    tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A function of the code, and the names of its parameters in their order."""

    name: str
    parameters: tuple[str, ...]

    @property
    def call(self) -> str:
        """The Python expression that calls it with one input per parameter."""
        return f"{self.name}({', '.join(map(input_name, self.parameters))})"


def input_name(parameter: str) -> str:
    """Return the name under which the code's globals hold an argument."""
    return f"_given_{parameter}"


@lru_cache(maxsize=256)
def find_entry(code: str, kind: CodeKind) -> Entry:
    """Return the function to call; raise SandboxRefused where there is no such one."""
    if len(code.encode(errors="replace")) > MAX_CODE_BYTES:
        raise SandboxRefused(f"The code is larger than {MAX_CODE_BYTES // 1024} KB")
    entries, prefix = _functions(code), PREFIXES[kind]
    named = [entry for entry in entries if entry.name.startswith(prefix)]
    candidates = named or entries
    if len(candidates) != 1:
        raise SandboxRefused(
            f"The code must have exactly one function whose name begins with "
            f"`{prefix}` at its top level, or only one function; it has "
            f"{len(candidates)}"
        )
    _check_parameters(candidates[0])
    return candidates[0]


def _check_parameters(entry: Entry) -> None:
    for name in entry.parameters:
        if name not in PARAMETERS:
            raise SandboxRefused(
                f"`{entry.name}` has a parameter `{name[:50]}`; it may have: "
                f"{', '.join(PARAMETERS)}"
            )


def _functions(code: str) -> list[Entry]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError, ValueError) as error:
        raise SandboxRefused("The code is not complete Python") from error
    return [
        Entry(tokens[place + 1].string, tuple(_parameters(tokens[place + 2 :])))
        for place, token in enumerate(tokens)
        if token.string == "def" and _begins_line(tokens, place)
    ]


def _begins_line(tokens: Sequence[TokenInfo], place: int) -> bool:
    is_first = place == 0 or tokens[place - 1].type in _BLANK
    return is_first and tokens[place].start[1] == 0


def _parameters(tokens: Sequence[TokenInfo]) -> Iterator[str]:
    """Yield the names between the brackets; `*` and `/` count as names, too."""
    depth, is_due = 0, False
    for token in tokens:
        if token.type in _BLANK:
            continue
        if token.string in ("(", "[", "{"):
            depth += 1
            is_due = depth == 1
        elif token.string in (")", "]", "}"):
            depth -= 1
            if depth == 0:
                return
        elif depth == 1 and token.string == ",":
            is_due = True
        elif is_due:
            is_due = False
            yield token.string
