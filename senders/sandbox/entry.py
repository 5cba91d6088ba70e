"""Finds the function that is called in a piece of code, without running any of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from senders.sandbox.errors import SandboxRefused
from senders.sandbox.limits import MAX_CODE_BYTES
from senders.sandbox.tokens import Token, tokens_of

CodeKind = Literal["parser", "validator"]

PREFIXES: dict[CodeKind, str] = {"parser": "parse", "validator": "validate"}
PARAMETERS = ("body", "headers", "webhook_config", "config", "query", "method")


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
    entries, prefix = list(_functions(code)), PREFIXES[kind]
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


def _functions(code: str) -> Iterator[Entry]:
    """Yield what is defined at the top level, by `def` and not `async def`."""
    tokens = tokens_of(code)
    for token in tokens:
        if token.text == "def" and token.begins_line:
            name = next(tokens, None)
            yield Entry(name.text if name else "", tuple(_parameters(tokens)))


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
